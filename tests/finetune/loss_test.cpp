#include "finetune/losses/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/base/error.h"

namespace graft {
namespace {

double value(const Loss& loss, std::vector<float> f, int y) {
  std::vector<float> grad(f.size(), 0);
  return loss.row(f, y, grad);
}

TEST(MulticlassHinge, GivesTheLecturesRows) {
  const LossPtr hinge = make_multiclass_hinge(1);
  EXPECT_NEAR(value(*hinge, {3.2f, 5.1f, -1.7f}, 0), 2.9, 1e-5);
  EXPECT_EQ(value(*hinge, {1.3f, 4.9f, 2.0f}, 1), 0.0);
  EXPECT_NEAR(value(*hinge, {2.2f, 2.5f, -3.1f}, 2), 12.9, 1e-5);
}

TEST(Losses, HingeAndCrossEntropyDifferOnOneScoreVector) {
  EXPECT_NEAR(value(*make_multiclass_hinge(1), {-2.85f, 0.86f, 0.28f}, 2), 1.58, 1e-5);
  EXPECT_NEAR(value(*make_cross_entropy(0), {-2.85f, 0.86f, 0.28f}, 2), 1.04, 5e-3);
}

TEST(CrossEntropy, GradientIsSoftmaxMinusTarget) {
  const LossPtr loss = make_cross_entropy(0);
  std::vector<float> grad(3, 0);
  const std::vector<float> f{1, -2, 0};
  loss->row(f, 0, grad);
  EXPECT_NEAR(grad[0], 0.705385f - 1, 1e-5);
  EXPECT_NEAR(grad[1], 0.035119f, 1e-5);
  EXPECT_NEAR(grad[2], 0.259496f, 1e-5);
}

TEST(CrossEntropy, StaysFiniteForScoresOfTenThousand) {
  EXPECT_NEAR(value(*make_cross_entropy(0), {1e4f, -1e4f}, 1), 2e4, 1e-3);
  EXPECT_NEAR(value(*make_cross_entropy(0), {1e4f, -1e4f}, 0), 0, 1e-9);
}

TEST(Losses, GradientsMatchFiniteDifferences) {
  const std::vector<float> f{0.3f, -0.7f, 0.25f, 1.1f};
  for (const std::string& name : loss_names()) {
    const LossPtr loss = make_loss(name, {0.1f, 1});
    std::vector<float> grad(f.size(), 0);
    loss->row(f, 2, grad);
    for (size_t i = 0; i < f.size(); ++i) {
      auto up = f, down = f;
      up[i] += 1e-3f;
      down[i] -= 1e-3f;
      EXPECT_NEAR((value(*loss, up, 2) - value(*loss, down, 2)) / (static_cast<double>(up[i]) - static_cast<double>(down[i])), grad[i], 1e-3) << name << " " << i;
    }
  }
}

TEST(BatchLoss, AveragesOverTheRowsThatCount) {
  const std::vector<float> scores{1, 2, 3, 4, 9, 9};
  const std::vector<int> labels{0, 1, -1};
  std::vector<float> grad(6, 5);
  const double total = batch_loss(*make_cross_entropy(0), scores, labels, {}, grad);
  EXPECT_NEAR(total, std::log(1 + std::exp(1.0)) + std::log(1 + std::exp(-1.0)), 1e-6);
  EXPECT_NEAR(grad[0], (0.2689414f - 1) / 2, 1e-6);
  EXPECT_EQ(grad[4], 0);
}

TEST(BatchLoss, WeighsClassesAsPyTorchDoes) {
  const std::vector<float> scores{0, 0, 0, 0}, weights{3, 1};
  const std::vector<int> labels{0, 1};
  std::vector<float> grad(4);
  batch_loss(*make_cross_entropy(0), scores, labels, weights, grad);
  EXPECT_NEAR(grad[0], -0.5f * 3 / 4, 1e-6);
  EXPECT_NEAR(grad[3], -0.5f * 1 / 4, 1e-6);
}

TEST(BatchLoss, RefusesScoresThatAreNoNumbers) {
  const std::vector<float> scores{0, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<int> labels{0};
  std::vector<float> grad(2);
  EXPECT_THROW(batch_loss(*make_cross_entropy(0), scores, labels, {}, grad), Error);
}

TEST(Losses, AnUnknownNameListsTheKnown) {
  try {
    make_loss("nonsense", {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("cross-entropy"), std::string::npos);
  }
}

}  // namespace
}  // namespace graft
