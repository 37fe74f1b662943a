#include "finetune/selection/held_out.h"

#include <gtest/gtest.h>

#include <cmath>

namespace graft {
namespace {

/// One picture of two classes, whose true one has probability p.
void add(HeldOut& held_out, int label, double p, const std::vector<float>& class_weights = {}) {
  const auto f = static_cast<float>(std::log(p / (1 - p)));
  const std::vector<float> scores = label == 0 ? std::vector<float>{f, 0} : std::vector<float>{0, f};
  held_out.add(scores, label,
               class_weights.empty() ? 1 : static_cast<double>(class_weights[static_cast<size_t>(label)]));
}

TEST(HeldOut, MeansAreWeighedByClass) {
  HeldOut plain, weighed;
  for (HeldOut* one : {&plain, &weighed}) {
    const std::vector<float> weights = one == &weighed ? std::vector<float>{1, 3} : std::vector<float>{};
    add(*one, 0, 0.8, weights);
    add(*one, 0, 0.7, weights);
    add(*one, 1, 0.4, weights);
  }
  EXPECT_NEAR(plain.loss(), -(std::log(0.8) + std::log(0.7) + std::log(0.4)) / 3, 1e-6);
  EXPECT_NEAR(plain.accuracy(), 2.0 / 3, 1e-12);
  EXPECT_NEAR(weighed.loss(), -(std::log(0.8) + std::log(0.7) + 3 * std::log(0.4)) / 5, 1e-6);
  EXPECT_NEAR(weighed.accuracy(), 2.0 / 3, 1e-12);
  EXPECT_NEAR(weighed.weighted_accuracy(), 2.0 / 5, 1e-12);
  EXPECT_NEAR(weighed.unweighted().loss(), plain.loss(), 1e-12);
  EXPECT_EQ(weighed.unweighted().weighted_accuracy(), plain.accuracy());
  EXPECT_EQ(HeldOut{}.loss(), 0);
  EXPECT_EQ(HeldOut{}.accuracy(), 0);
}

TEST(HeldOut, HitsOfTheLargeClassDoNotMakeUpForTheWeighedOne) {
  // Forty pictures, of which the second candidate gets ten more of the large class right and loses all of the small
  // one.
  const auto compare = [](const std::vector<float>& weights) {
    HeldOut before, now;
    for (int i = 0; i < 36; ++i) {
      add(before, 0, i < 10 ? 0.45 : 0.9, weights);
      add(now, 0, 0.95, weights);
    }
    for (int i = 0; i < 4; ++i) {
      add(before, 1, 0.6, weights);
      add(now, 1, 0.4, weights);
    }
    return is_better_beyond_chance(now, before);
  };
  EXPECT_TRUE(compare({}));
  EXPECT_FALSE(compare({1, 9}));
}

}  // namespace
}  // namespace graft
