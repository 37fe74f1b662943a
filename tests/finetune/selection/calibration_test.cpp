#include "finetune/selection/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/core/random.h"

namespace graft {
namespace {

struct Drawn {
  std::vector<float> scores;
  std::vector<int> labels;
};

/// Scores of three classes, and labels drawn by softmax(scores / temperature).
Drawn drawn(size_t pictures, double temperature, uint64_t seed) {
  Random random(seed);
  Drawn d;
  for (size_t i = 0; i < pictures; ++i) {
    double weights[3], sum = 0;
    for (double& w : weights) {
      d.scores.push_back(4 * random.normal());
      sum += w = std::exp(static_cast<double>(d.scores.back()) / temperature);
    }
    double at = static_cast<double>(random.uniform()) * sum;
    int label = 0;
    while (label < 2 && (at -= weights[label]) > 0) ++label;
    d.labels.push_back(label);
  }
  return d;
}

TEST(FitTemperature, FindsHowSureScoresOughtToBe) {
  const Drawn d = drawn(2000, 3, 1);
  const TemperatureFit fit = fit_temperature(d.scores, d.labels, 3);
  EXPECT_TRUE(fit.kept);
  EXPECT_NEAR(fit.temperature, 3, 0.3);
  EXPECT_GT(fit.error_before, 0.1);
  EXPECT_LT(fit.error_after, 0.05);
  EXPECT_LT(fit.loss_after, fit.loss_before);
}

TEST(FitTemperature, LeavesScoresThatAreRightAsTheyAre) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Drawn d = drawn(300, 1, seed);
    const TemperatureFit fit = fit_temperature(d.scores, d.labels, 3);
    EXPECT_FALSE(fit.kept) << seed;
    EXPECT_EQ(fit.temperature, 1);
  }
}

TEST(FitTemperature, IsNeverSurerThanTheAnswersHaveShown) {
  // Every answer is right: likelihood alone would have the temperature go to nothing.
  Random random(4);
  std::vector<float> scores;
  std::vector<int> labels;
  for (int i = 0; i < 60; ++i) {
    const int label = i % 3;
    for (int c = 0; c < 3; ++c) scores.push_back(c == label ? 1 + random.uniform() : 0.0f);
    labels.push_back(label);
  }
  const TemperatureFit fit = fit_temperature(scores, labels, 3);
  double confidence = 0;
  for (size_t i = 0; i < 60; ++i) {
    double sum = 0, best = 0;
    for (size_t c = 0; c < 3; ++c) {
      const double e = std::exp(static_cast<double>(scores[i * 3 + c]) / fit.temperature);
      sum += e;
      best = std::max(best, e);
    }
    confidence += best / sum / 60;
  }
  EXPECT_TRUE(fit.kept);
  EXPECT_NEAR(confidence, 61.0 / 62, 1e-4);
}

TEST(FitTemperature, OfScoresThatSayNothingIsNone) {
  // Sure of class 0 always, which is right half of the time.
  std::vector<float> scores;
  std::vector<int> labels;
  for (int i = 0; i < 60; ++i) {
    scores.insert(scores.end(), {30, 0});
    labels.push_back(i / 5 % 2);
  }
  const TemperatureFit fit = fit_temperature(scores, labels, 2);
  EXPECT_TRUE(fit.guesses);
  EXPECT_FALSE(fit.kept);
  EXPECT_EQ(fit.temperature, 1);
}

TEST(FitThresholds, OfScoresThatSayNothingAreNotKept) {
  Random random(2);
  size_t kept = 0;
  for (int run = 0; run < 20; ++run) {
    std::vector<float> scores, marks;
    for (int i = 0; i < 100; ++i) {
      scores.push_back(2 + random.normal());  // all above one half: nothing is missed
      marks.push_back(random.uniform() < 0.5f ? 1.0f : 0.0f);
    }
    kept += fit_thresholds(scores, marks, 1).kept;
  }
  EXPECT_LE(kept, 2u);
  // One picture is not enough, be it found or not.
  std::vector<float> scores(50, -6), marks(50, 0);
  scores[7] = -1;
  marks[7] = 1;
  EXPECT_EQ(fit_thresholds(scores, marks, 1).thresholds, std::vector<float>{0.5f});
}

TEST(FitTemperature, FewPicturesSayNothing) {
  const Drawn d = drawn(19, 10, 1);
  EXPECT_FALSE(fit_temperature(d.scores, d.labels, 3).kept);
  EXPECT_FALSE(fit_temperature({}, {}, 3).kept);
}

TEST(FitThresholds, AreThoseThatPartTheMarks) {
  // Label 0 is there above -2, label 1 above 0, label 2 never.
  Random random(1);
  std::vector<float> scores, marks;
  for (int i = 0; i < 400; ++i) {
    const float a = 3 * random.normal(), b = 3 * random.normal(), c = random.normal();
    scores.insert(scores.end(), {a, b, c});
    marks.insert(marks.end(), {a > -2 ? 1.0f : 0.0f, b > 0 ? 1.0f : 0.0f, 0.0f});
  }
  const ThresholdFit fit = fit_thresholds(scores, marks, 3);
  EXPECT_EQ(fit.kept, 1u);
  EXPECT_NEAR(fit.thresholds[0], 1 / (1 + std::exp(2.0f)), 0.01f);
  EXPECT_EQ(fit.thresholds[1], 0.5f);
  EXPECT_EQ(fit.thresholds[2], 0.5f);
  EXPECT_LT(fit.f1_before, 0.93);
  EXPECT_GT(fit.f1_after, 0.98);
}

}  // namespace
}  // namespace graft
