#include "finetune/selection/prototypes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/core/error.h"
#include "tests/finetune/selection/overlapping_classes.h"

namespace graft {
namespace {

using namespace overlapping;

int predicted(const float* scores) { return static_cast<int>(std::max_element(scores, scores + 3) - scores); }

// scikit-learn 1.9.1's NearestCentroid on the same standardised features.
TEST(Prototypes, ClassifyAsScikitLearnsNearestCentroid) {
  FeatureMatrix features;
  features.append(figures(), kWidth);
  const Prototypes prototypes(features, targets());
  int right = 0;
  for (size_t i = 0; i < kPictures; ++i)
    right += predicted(prototypes.scores().data() + i * 3) == static_cast<int>(i % 3);
  EXPECT_EQ(right, 37);
  const int expected[kPictures] = {0, 1, 2, 0, 1, 2, 2, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1,
                                   2, 0, 1, 2, 0, 2, 0, 0, 0, 2, 0, 1, 2, 0, 2, 1, 0, 2, 2, 0, 1, 2};
  const LinearHeadWeights head = prototypes.fit();
  for (size_t i = 0; i < kPictures; ++i) {
    float scores[3];
    for (size_t c = 0; c < 3; ++c) {
      scores[c] = head.bias[c];
      for (size_t d = 0; d < kWidth; ++d) scores[c] += head.weight[c * kWidth + d] * features.row(i)[d];
    }
    EXPECT_EQ(predicted(scores), expected[i]) << i;
  }
}

TEST(Prototypes, MeansAreWeighed) {
  FeatureMatrix features;
  features.append(figures(), kWidth);
  ClassTargets t = targets();
  std::vector<double> mean(kWidth, 0);  // of class 0
  const std::vector<float> z = HalfwayScale(features).apply(features);
  double all = 0, square = 0;
  for (size_t i = 0; i < kPictures; ++i) {
    t.weights.push_back(i % 4 == 0 ? 5 : 0.5);
    if (t.labels[i] != 0) continue;
    for (size_t d = 0; d < kWidth; ++d) mean[d] += t.weights[i] * static_cast<double>(z[i * kWidth + d]);
    all += t.weights[i];
  }
  for (double& m : mean) {
    m /= all;
    square += m * m;
  }
  const Prototypes prototypes(features, t);
  const std::vector<float> scores = scores_of(prototypes.fit(), figures());
  for (size_t i = 0; i < kPictures; ++i) {
    double expected = -square / 2;
    for (size_t d = 0; d < kWidth; ++d) expected += mean[d] * static_cast<double>(z[i * kWidth + d]);
    EXPECT_NEAR(static_cast<double>(scores[i * 3]) * prototypes.temperature(), expected, 1e-4) << i;
  }
}

TEST(Prototypes, AreFittedWhereNothingJudgesThem) {
  FeatureMatrix features;
  features.append(figures(), kWidth);
  ClassTargets t = targets();
  std::fill(t.fold.begin(), t.fold.end(), -1);
  const Prototypes prototypes(features, t);
  EXPECT_FALSE(prototypes.judges());
  EXPECT_TRUE(Prototypes(features, targets()).judges());
  // By the guessed temperature the means of two classes are odds of e³ apart, averaged over all pairs.
  const LinearHeadWeights head = prototypes.fit();
  std::vector<double> means(3 * kWidth, 0), count(3, 0);
  for (size_t i = 0; i < kPictures; ++i) {
    const auto c = static_cast<size_t>(t.labels[i]);
    for (size_t d = 0; d < kWidth; ++d) means[c * kWidth + d] += static_cast<double>(features.row(i)[d]);
    ++count[c];
  }
  double log_odds = 0;
  for (size_t a = 0; a < 3; ++a)
    for (size_t b = 0; b < 3; ++b) {
      if (a == b) continue;
      log_odds += static_cast<double>(head.bias[a] - head.bias[b]) / 6;
      for (size_t d = 0; d < kWidth; ++d)
        log_odds += static_cast<double>(head.weight[a * kWidth + d] - head.weight[b * kWidth + d]) *
                    means[a * kWidth + d] / count[a] / 6;
    }
  EXPECT_NEAR(log_odds, 3, 1e-3);
}

TEST(HeldOut, AGainIsBeyondChanceWhereItIs) {
  EXPECT_NEAR(sign_test(7, 2), 0.08984375, 1e-9);  // SciPy's binomtest
  EXPECT_NEAR(sign_test(3, 0), 0.125, 1e-9);
  HeldOut before, now, same;
  for (int i = 0; i < 40; ++i) {
    const float wrong[] = {i % 4 == 0 ? 2.0f : 0.0f, 1.0f}, right[] = {0.0f, 1.0f + 0.01f * static_cast<float>(i)};
    before.add(wrong, 1);
    same.add(wrong, 1);
    now.add(right, 1);
  }
  EXPECT_DOUBLE_EQ(before.accuracy(), 0.75);
  EXPECT_TRUE(is_better_beyond_chance(now, before));
  EXPECT_FALSE(is_better_beyond_chance(before, now));
  EXPECT_FALSE(is_better_beyond_chance(same, before));
}

}  // namespace
}  // namespace graft
