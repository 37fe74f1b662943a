#include "finetune/selection/label_doubts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "runtime/core/random.h"

namespace graft {
namespace {

constexpr int kClasses = 4;
constexpr size_t kWidth = 24, kPictures = 240;

/// Classes around corners of a cube, with noise; every twentieth label is wrong.
struct Noisy {
  Noisy() {
    Random random(5);
    std::vector<float> values;
    for (size_t i = 0; i < kPictures; ++i) {
      const int truth = static_cast<int>(i % kClasses);
      for (size_t d = 0; d < kWidth; ++d)
        values.push_back((d % kClasses == static_cast<size_t>(truth) ? 1.0f : 0.0f) + 0.8f * random.normal());
      const bool is_wrong = i % 20 == 3;
      labels.push_back(is_wrong ? (truth + 1) % kClasses : truth);
      if (is_wrong) wrong.insert(i);
    }
    features.append(values, kWidth);
  }
  FeatureMatrix features;
  std::vector<int> labels;
  std::set<size_t> wrong;
};

TEST(LabelDoubts, WrongLabelsComeFirst) {
  const Noisy set;
  const std::vector<LabelDoubt> doubts = label_doubts(set.features, set.labels, kClasses, 1, 2);
  ASSERT_EQ(doubts.size(), kPictures);
  size_t found = 0;
  for (size_t k = 0; k < kPictures / 10; ++k) {
    found += set.wrong.contains(doubts[k].picture);
    EXPECT_NE(doubts[k].given, doubts[k].likelier);
  }
  EXPECT_GE(found, set.wrong.size() * 9 / 10);
  // The likelier class of a wrong one is the true one.
  for (const LabelDoubt& doubt : doubts) {
    if (!doubt.flagged || !set.wrong.contains(doubt.picture)) continue;
    EXPECT_EQ(doubt.likelier, static_cast<int>(doubt.picture % kClasses));
  }
}

TEST(LabelDoubts, TheSameForAnyNumberOfThreads) {
  const Noisy set;
  const auto one = label_doubts(set.features, set.labels, kClasses, 1, 1),
             two = label_doubts(set.features, set.labels, kClasses, 1, 2);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].picture, two[i].picture);
    EXPECT_NEAR(one[i].given_probability, two[i].given_probability, 1e-4);  // decision 11: dense layers without AVX-512
  }
}

TEST(LabelDoubts, AClasssOnlyPictureIsNotDoubted) {
  Noisy set;
  set.labels[0] = kClasses;  // a class of its own
  const auto doubts = label_doubts(set.features, set.labels, kClasses + 1, 1, 2);
  EXPECT_EQ(doubts.size(), kPictures - 1);
  EXPECT_TRUE(std::none_of(doubts.begin(), doubts.end(), [](const LabelDoubt& d) { return d.picture == 0; }));
}

TEST(Outliers, OneThatIsLikeNoOtherIsFar) {
  Random random(2);
  std::vector<float> values;
  for (size_t i = 0; i < 60; ++i)
    for (size_t d = 0; d < 8; ++d) values.push_back((d == 0 ? 3.0f : 0.0f) + 0.2f * random.normal());
  for (size_t d = 0; d < 8; ++d) values[8 * 17 + d] = d == 7 ? 3.0f : 0.0f;
  FeatureMatrix features;
  features.append(values, 8);
  const std::vector<double> distances = neighbour_distances(features, 5);
  const double limit = outlier_limit(distances);
  for (size_t i = 0; i < 60; ++i) EXPECT_EQ(distances[i] > limit, i == 17) << i;
}

}  // namespace
}  // namespace graft
