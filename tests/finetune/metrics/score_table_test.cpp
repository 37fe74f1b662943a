#include "finetune/metrics/score_table.h"

#include <gtest/gtest.h>

#include <cmath>

#include "finetune/metrics/metrics.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

/// scikit-learn's documented example: roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) = 0.75.
TEST(ScoreTable, RocAucIsScikitLearns) {
  ScoreTable table(2);
  const float scores[] = {0.1f, 0.4f, 0.35f, 0.8f};
  const int labels[] = {0, 0, 1, 1};
  for (size_t i = 0; i < 4; ++i) table.add(std::vector<float>{0, scores[i]}, labels[i]);
  EXPECT_DOUBLE_EQ(table.roc_auc(), 0.75);
  ScoreTable ties(2);
  for (int i = 0; i < 6; ++i) ties.add(std::vector<float>{1, 1}, i % 2);
  EXPECT_DOUBLE_EQ(ties.roc_auc(), 0.5);
}

/// Scores drawn so that softmax(scores) tells the truth, then blown up three times: T = 3 undoes it.
TEST(ScoreTable, TemperatureUndoesOverconfidence) {
  ScoreTable table(3);
  Metrics metrics(3);
  Random random(5);
  for (int i = 0; i < 6000; ++i) {
    std::vector<float> honest{random.normal(), random.normal(), random.normal()}, probabilities = honest, loud;
    softmax_rows(probabilities, 3);
    const float u = random.uniform();
    const int label = u < probabilities[0] ? 0 : u < probabilities[0] + probabilities[1] ? 1 : 2;
    for (float v : honest) loud.push_back(3 * v);
    table.add(loud, label);
    metrics.add(loud, {&label, 1});
  }
  const double temperature = table.best_temperature();
  EXPECT_NEAR(temperature, 3, 0.2);
  EXPECT_LT(table.loss(temperature), table.loss(temperature * 1.05));
  EXPECT_LT(table.loss(temperature), table.loss(temperature / 1.05));
  EXPECT_GT(table.calibration_error(1), 0.1);
  EXPECT_LT(table.calibration_error(temperature), 0.03);
  EXPECT_NEAR(table.calibration_error(1), metrics.calibration_error(), 1e-5);
  EXPECT_NEAR(table.loss(1), metrics.loss(), 1e-5);
}

}  // namespace
}  // namespace graft
