#include "finetune/metrics/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace graft {
namespace {

TEST(Metrics, CountsHitsAndConfusions) {
  Metrics m(3);
  const std::vector<float> scores{3, 0, 0, 0, 3, 0, 0, 3, 0, 9, 9, 9};
  const std::vector<int> labels{0, 1, 2, -1};
  m.add(scores, labels);
  EXPECT_EQ(m.count(), 3);
  EXPECT_NEAR(m.top1(), 2.0 / 3, 1e-12);
  EXPECT_EQ(m.top5(), 1);
  EXPECT_EQ(m.confusion(2, 1), 1);
  EXPECT_DOUBLE_EQ(m.precision(1), 0.5);
  EXPECT_DOUBLE_EQ(m.recall(2), 0);
  EXPECT_NEAR(m.f1(1), 2.0 / 3, 1e-12);
}

TEST(Metrics, ScoresThatAreNotNumbersShow) {
  Metrics metrics(2);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  metrics.add(std::vector<float>{1, 0, nan, 0}, std::vector<int>{0, 0});
  EXPECT_EQ(metrics.count(), 2);
  EXPECT_TRUE(std::isnan(metrics.loss()));
  EXPECT_EQ(metrics.top1(), 0.5);
}

TEST(Metrics, TopIndicesBreakTiesByPosition) {
  EXPECT_EQ(top_indices(std::vector<float>{1, 2, 2, 0}, 3), (std::vector<int>{1, 2, 0}));
}

TEST(Metrics, PerfectConfidenceIsPerfectlyCalibrated) {
  Metrics m(2);
  const std::vector<float> scores{50, 0, 0, 50};
  const std::vector<int> labels{0, 1};
  m.add(scores, labels);
  EXPECT_NEAR(m.calibration_error(), 0, 1e-9);
}

}  // namespace
}  // namespace graft
