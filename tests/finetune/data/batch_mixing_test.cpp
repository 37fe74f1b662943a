#include "finetune/data/batch_mixing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace graft {
namespace {

TEST(BatchMixing, BetaHasItsMeanAndVariance) {
  for (const double alpha : {0.2, 1.0, 3.0}) {
    double sum = 0, squares = 0;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i) {
      const double x = symmetric_beta(alpha, static_cast<uint64_t>(i));
      ASSERT_GE(x, 0);
      ASSERT_LE(x, 1);
      sum += x;
      squares += x * x;
    }
    const double mean = sum / kDraws, variance = squares / kDraws - mean * mean;
    EXPECT_NEAR(mean, 0.5, 0.01);
    EXPECT_NEAR(variance, 1 / (4 * (2 * alpha + 1)), 0.01) << alpha;
  }
}

TEST(BatchMixing, MixesSamplesAndTargetsAlike) {
  const BatchMixing mixing({.mixup = 0.5f}, 3, 7);
  const std::vector<int> labels{0, 1, -1, 2};
  auto plan = mixing.plan(labels, 4);
  EXPECT_FALSE(plan.cut);
  EXPECT_EQ(plan.partner[2], 2u);  // unreadable samples mix with nobody
  auto sorted = plan.partner;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, (std::vector<size_t>{0, 1, 2, 3}));
  plan.partner = {1, 3, 2, 0};
  plan.keep = 0.75;
  const std::vector<float> rows{10, 20, 30, 40};
  std::vector<float> mixed(4), targets;
  mixing.mix_rows(plan, rows, mixed, 1);
  EXPECT_EQ(mixed, (std::vector<float>{12.5f, 25, 30, 32.5f}));
  mixing.mix_targets(plan, labels, targets);
  EXPECT_EQ(targets, (std::vector<float>{0.75f, 0.25f, 0, 0, 0.75f, 0.25f, 0, 0, 0, 0.25f, 0, 0.75f}));
}

TEST(BatchMixing, PastesABoxOfTheSharesSize) {
  const BatchMixing mixing({.cutmix = 1}, 2, 7);
  const std::vector<int> labels{0, 1};
  BatchMixing::Plan plan{{1, 0}, 0.75, true, 0.5, 0.5};
  constexpr size_t kSide = 8;
  std::vector<float> pictures(2 * kSide * kSide, 0), mixed(pictures.size());
  std::fill(pictures.begin() + kSide * kSide, pictures.end(), 1.0f);
  mixing.mix_pictures(plan, pictures, mixed, kSide, kSide, 1);
  EXPECT_EQ(std::accumulate(mixed.begin(), mixed.begin() + kSide * kSide, 0.0f), 16);  // a quarter, in the middle
  EXPECT_EQ(mixed[3 * kSide + 3], 1);
  EXPECT_EQ(mixed[0], 0);
  plan = {{1, 0}, 0.75, true, 0, 0};  // at the corner three quarters of the box fall outside
  mixing.mix_pictures(plan, pictures, mixed, kSide, kSide, 1);
  EXPECT_DOUBLE_EQ(plan.keep, 1 - 4.0 / 64);
}

TEST(BatchMixing, IsAFunctionOfSeedAndStep) {
  const std::vector<int> labels(16, 1);
  const BatchMixing a({.mixup = 1, .cutmix = 1}, 2, 7), b({.mixup = 1, .cutmix = 1}, 2, 7);
  size_t cuts = 0;
  for (uint64_t step = 0; step < 200; ++step) {
    const auto p = a.plan(labels, step), q = b.plan(labels, step);
    EXPECT_EQ(p.partner, q.partner);
    EXPECT_EQ(p.keep, q.keep);
    cuts += p.cut;
  }
  EXPECT_GT(cuts, 60u);
  EXPECT_LT(cuts, 140u);
}

}  // namespace
}  // namespace graft
