#include "finetune/metrics/ranking.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "finetune/metrics/bootstrap.h"

namespace graft {
namespace {

TEST(Ranking, IsScikitLearns) {
  // The example of scikit-learn's average_precision_score and roc_auc_score.
  const Ranking ranking({{0.1, false}, {0.4, false}, {0.35, true}, {0.8, true}});
  EXPECT_NEAR(ranking.average_precision(), 0.8333333333333333, 1e-15);
  EXPECT_DOUBLE_EQ(ranking.roc_auc(), 0.75);
  const Ranking::BestThreshold best = ranking.best_threshold();
  EXPECT_DOUBLE_EQ(best.threshold, 0.35);
  EXPECT_DOUBLE_EQ(best.f1, 0.8);
  ASSERT_EQ(ranking.points().size(), 4u);
  EXPECT_EQ(ranking.points()[1].true_positives, 1);
  EXPECT_EQ(ranking.points()[1].false_positives, 1);
}

TEST(Ranking, TiesCountTogether) {
  const Ranking ranking({{0.5, true}, {0.5, false}, {0.5, true}, {0.5, false}});
  EXPECT_DOUBLE_EQ(ranking.roc_auc(), 0.5);
  EXPECT_DOUBLE_EQ(ranking.average_precision(), 0.5);
  EXPECT_EQ(ranking.points().size(), 1u);
}

TEST(Ranking, OfOneKindOnly) {
  EXPECT_EQ(Ranking({{0.5, true}}).roc_auc(), 0.5);
  EXPECT_LT(Ranking({{0.5, false}}).average_precision(), 0);
  EXPECT_EQ(Ranking({}).points().size(), 0u);
}

TEST(Ranking, WhatIsNoNumberComesLast) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_DOUBLE_EQ(Ranking({{nan, false}, {0.1, true}, {nan, false}}).roc_auc(), 1);
}

TEST(Bootstrap, OfAMeanIsAsWideAsItsDeviationSays) {
  // 400 items of 0 and 1: the mean's deviation is sqrt(0.25 / 400) = 0.025, so 95 % lie within 1.96 of them.
  const size_t count = 400;
  const auto mean = [&](std::span<const uint32_t> drawn, std::span<double> figures) {
    double sum = 0;
    for (size_t i = 0; i < count; i += 2) sum += drawn[i];
    figures[0] = sum / count;
    figures[1] = std::numeric_limits<double>::quiet_NaN();
  };
  const auto intervals = bootstrap_intervals(count, 2, mean);
  EXPECT_NEAR(intervals[0].first, 0.5 - 0.049, 0.005);
  EXPECT_NEAR(intervals[0].second, 0.5 + 0.049, 0.005);
  EXPECT_TRUE(std::isnan(intervals[1].first));
  EXPECT_EQ(bootstrap_intervals(count, 2, mean, 500, 7)[0], bootstrap_intervals(count, 2, mean, 500, 7)[0]);
}

}  // namespace
}  // namespace graft
