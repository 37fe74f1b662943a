#include "finetune/metrics/target_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "finetune/data/target_scale.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

TargetMetrics metrics_of(size_t outputs, const std::vector<float>& scores, const std::vector<float>& targets) {
  TargetMetrics m(outputs);
  m.add(scores, std::vector<int>(scores.size() / outputs, 0), targets);
  return m;
}

/// scikit-learn's documented example: average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) = 0.83.
TEST(TargetMetrics, AveragePrecisionIsScikitLearns) {
  EXPECT_NEAR(metrics_of(1, {0.1f, 0.4f, 0.35f, 0.8f}, {0, 0, 1, 1}).mean_average_precision(), 0.8333333, 1e-6);
  // Ties count together: all scores equal gives the share of true ones.
  EXPECT_NEAR(metrics_of(1, {1, 1, 1, 1}, {0, 1, 0, 0}).mean_average_precision(), 0.25, 1e-9);
  // Classes that never occur are left out of the mean.
  EXPECT_NEAR(metrics_of(2, {2, 0, 1, 0}, {1, 0, 0, 0}).mean_average_precision(), 1, 1e-9);
}

TEST(TargetMetrics, ExactMatchAsksForEveryMark) {
  EXPECT_DOUBLE_EQ(metrics_of(2, {1, -1, 1, 1}, {1, 0, 1, 0}).exact_match(), 0.5);
}

/// scikit-learn's documented example: r2_score([3, -0.5, 2, 7], [2.5, 0.0, 2, 8]) = 0.948…; MAE 0.5.
TEST(TargetMetrics, R2AndErrorsAreScikitLearns) {
  const auto m = metrics_of(1, {2.5f, 0.0f, 2, 8}, {3, -0.5f, 2, 7});
  EXPECT_NEAR(m.r2(), 0.9486081, 1e-6);
  EXPECT_NEAR(m.mean_absolute_error(), 0.5, 1e-9);
  EXPECT_NEAR(m.root_mean_squared_error(), std::sqrt(0.375), 1e-9);
}

TEST(TargetMetrics, RowsThatCountForNothingAreLeftOut) {
  TargetMetrics m(1);
  m.add(std::vector<float>{1, 100}, std::vector<int>{0, -1}, std::vector<float>{2, 3});
  EXPECT_EQ(m.count(), 1);
  EXPECT_DOUBLE_EQ(m.mean_absolute_error(), 1);
}

TEST(TargetScale, GoesToUnitsAndBack) {
  const TargetScale scale = TargetScale::measure({{10, -1}, {20, 1}}, {"a", "b"});
  EXPECT_EQ(scale.scaled({20, -1}), (std::vector<float>{1, -1}));
  Graph g;
  g.add_constant("w", Tensor::of<float>({2, 1}, {2, 3}));
  g.add_constant("b", Tensor::of<float>({2}, {1, -1}));
  scale.undo(g, {"w", "b"});
  EXPECT_EQ(g.value(g.find("w")).constant->data<float>()[0], 10);  // deviation 5
  EXPECT_EQ(g.value(g.find("b")).constant->data<float>()[0], 20);  // 5·1 + 15
  EXPECT_EQ(g.value(g.find("b")).constant->data<float>()[1], -1);
  EXPECT_THROW(TargetScale::measure({{1}, {1}}, {"a"}), Error);
}

}  // namespace
}  // namespace graft
