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
