#include "finetune/losses/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "runtime/core/error.h"
#include "tests/finetune/fixture.h"

namespace graft {
namespace {

double value(const Loss& loss, std::vector<float> f, int y) {
  std::vector<float> grad(f.size(), 0);
  return loss.row(f, {y}, grad);
}

double value(const Loss& loss, std::vector<float> f, const std::vector<float>& row) {
  std::vector<float> grad(f.size(), 0);
  return loss.row(f, {0, row}, grad);
}

TEST(MulticlassHinge, GivesTheLecturesRows) {
  const LossPtr hinge = make_loss({"hinge"});
  EXPECT_NEAR(value(*hinge, {3.2f, 5.1f, -1.7f}, 0), 2.9, 1e-5);
  EXPECT_EQ(value(*hinge, {1.3f, 4.9f, 2.0f}, 1), 0.0);
  EXPECT_NEAR(value(*hinge, {2.2f, 2.5f, -3.1f}, 2), 12.9, 1e-5);
}

TEST(Losses, HingeAndCrossEntropyDifferOnOneScoreVector) {
  EXPECT_NEAR(value(*make_loss({"hinge"}), {-2.85f, 0.86f, 0.28f}, 2), 1.58, 1e-5);
  EXPECT_NEAR(value(*make_loss({"cross-entropy"}), {-2.85f, 0.86f, 0.28f}, 2), 1.04, 5e-3);
}

TEST(CrossEntropy, GradientIsSoftmaxMinusTarget) {
  const LossPtr loss = make_loss({"cross-entropy"});
  std::vector<float> grad(3, 0);
  const std::vector<float> f{1, -2, 0};
  loss->row(f, {0}, grad);
  EXPECT_NEAR(grad[0], 0.705385f - 1, 1e-5);
  EXPECT_NEAR(grad[1], 0.035119f, 1e-5);
  EXPECT_NEAR(grad[2], 0.259496f, 1e-5);
}

TEST(CrossEntropy, StaysFiniteForScoresOfTenThousand) {
  EXPECT_NEAR(value(*make_loss({"cross-entropy"}), {1e4f, -1e4f}, 1), 2e4, 1e-3);
  EXPECT_NEAR(value(*make_loss({"cross-entropy"}), {1e4f, -1e4f}, 0), 0, 1e-9);
}

/// The values and slopes of PyTorch, by tests/fixtures/make_losses.py, and of papers whose losses it lacks, by
/// make_papers.py on the same scores and targets.
TEST(Losses, EqualPyTorchsAndThePapers) {
  auto f = fixture("losses.json");
  const auto papers = fixture("papers.json");
  for (const auto& c : papers.at("losses")) f.at("cases").push_back(c);
  const auto floats = [&](const char* name) { return f.at(name).get<std::vector<float>>(); };
  const auto scores = floats("scores"), teacher = floats("teacher"), weights = floats("weights");
  const auto labels = f.at("labels").get<std::vector<int>>();
  std::set<std::string> checked;
  for (const auto& c : f.at("cases")) {
    const auto name = c.at("name").get<std::string>();
    const LossPtr loss = make_loss({c.at("loss"), setting_values_in(c.at("options"))});
    checked.insert(c.at("loss"));
    const auto target = c.at("target").get<std::string>();
    const std::vector<float> rows = target == "labels" ? std::vector<float>{} : floats(target.c_str());
    const std::vector<float> w = c.at("weighted").get<bool>() ? weights : std::vector<float>{};
    std::vector<float> grad(scores.size()), values(labels.size());
    const double total = batch_loss(*loss, scores, {labels, rows, teacher}, w, grad, Reduction::mean, values);
    double divisor = 0, sum = 0;
    for (size_t i = 0; i < labels.size(); ++i) divisor += row_weight({labels}, i, w);
    for (float v : values) sum += static_cast<double>(v);
    EXPECT_NEAR(total / divisor, c.at("value").get<double>(), 1e-6 * std::max(1.0, std::fabs(total / divisor))) << name;
    EXPECT_NEAR(sum, total, 1e-5 * std::max(1.0, std::fabs(total))) << name;
    const auto slopes = c.at("slopes").get<std::vector<double>>();
    for (size_t i = 0; i < slopes.size(); ++i) EXPECT_NEAR(grad[i], slopes[i], 1e-6) << name << " " << i;
    std::vector<float> summed(scores.size());
    batch_loss(*loss, scores, {labels, rows, teacher}, w, summed, Reduction::sum);
    for (size_t i = 0; i < slopes.size(); ++i) EXPECT_NEAR(summed[i], slopes[i] * divisor, 1e-5) << name << " " << i;
  }
  const auto names = loss_names();
  EXPECT_EQ(checked, std::set<std::string>(names.begin(), names.end()));
}

TEST(Losses, SlopesMatchFiniteDifferences) {
  const std::vector<float> f{0.3f, -0.7f, 0.25f, 1.1f}, soft{0.1f, 0.6f, 0.05f, 0.25f}, teacher{1, -1, 0.5f, 0};
  for (const std::string& name : loss_names()) {
    const LossPtr loss = make_loss(narrowed({name, {{"label-smoothing", "0.1"}, {"delta", "0.7"}}}, loss_components()));
    for (const bool rows : {false, true}) {
      if (rows && !loss->takes_rows()) continue;
      const Target y{2, rows ? std::span<const float>(soft) : std::span<const float>(), teacher};
      const auto at = [&](const std::vector<float>& scores, std::vector<float>& grad) {
        return loss->row(scores, y, grad);
      };
      std::vector<float> grad(f.size(), 0), unused(f.size());
      at(f, grad);
      for (size_t i = 0; i < f.size(); ++i) {
        auto up = f, down = f;
        up[i] += 1e-3f;
        down[i] -= 1e-3f;
        const double numerical =
            (at(up, unused) - at(down, unused)) / (static_cast<double>(up[i]) - static_cast<double>(down[i]));
        EXPECT_NEAR(numerical, grad[i], 1e-3) << name << " " << i;
      }
    }
  }
}

TEST(Losses, StayFiniteForScoresOfTenThousand) {
  const std::vector<float> f{1e4f, -1e4f, 0}, teacher{-1e4f, 1e4f, 0}, soft{0.5f, 0.5f, 0};
  for (const std::string& name : loss_names()) {
    for (int y = 0; y < 3; ++y) {
      const LossPtr loss = make_loss({name});
      std::vector<float> grad(3, 0);
      EXPECT_TRUE(std::isfinite(loss->row(f, {y, {}, teacher}, grad))) << name;
      if (loss->takes_rows()) {
        EXPECT_TRUE(std::isfinite(loss->row(f, {y, soft, teacher}, grad))) << name;
      }
      for (float g : grad) EXPECT_TRUE(std::isfinite(g)) << name;
    }
  }
}

TEST(Losses, HandValues) {
  const std::vector<float> two{1, 3};
  EXPECT_DOUBLE_EQ(value(*make_loss({"mae"}), {0.5f, -1}, two), (0.5 + 4) / 2);
  EXPECT_DOUBLE_EQ(value(*make_loss({"mse"}), {0.5f, -1}, two), (0.25 + 16) / 2);
  EXPECT_DOUBLE_EQ(value(*make_loss({"huber"}), {0.5f, -1}, two), (0.125 + 3.5) / 2);
  EXPECT_DOUBLE_EQ(value(*make_loss({"smooth-l1"}), {0.5f, -1}, two), value(*make_loss({"huber"}), {0.5f, -1}, two));
  EXPECT_DOUBLE_EQ(value(*make_loss({"binary-hinge"}), {0.25f, 2}, std::vector<float>{1, 0}), (0.75 + 3) / 2);
  EXPECT_NEAR(value(*make_loss({"squared-hinge"}), {2.2f, 2.5f, -3.1f}, 2), 6.3 * 6.3 + 6.6 * 6.6, 1e-4);
}

TEST(Huber, IsContinuousWhereItsPiecesMeet) {
  for (const char* name : {"huber", "smooth-l1"}) {
    const LossPtr loss = make_loss({name, {{"delta", "0.5"}}});
    const std::vector<float> zero{0};
    std::vector<float> inside(1, 0), outside(1, 0);
    const double below = loss->row(std::vector<float>{0.49999f}, {0, zero}, inside),
                 above = loss->row(std::vector<float>{0.50001f}, {0, zero}, outside);
    EXPECT_NEAR(below, above, 3e-5) << name;
    EXPECT_NEAR(inside[0], outside[0], 3e-5) << name;
  }
}

TEST(KlDivergence, IsCrossEntropyLessTheTargetsEntropy) {
  const std::vector<float> t{0.2f, 0, 0.8f};
  const double entropy = -(0.2 * std::log(0.2) + 0.8 * std::log(0.8));
  EXPECT_NEAR(value(*make_loss({"kl"}), {1, -2, 0.5f}, t),
              value(*make_loss({"cross-entropy"}), {1, -2, 0.5f}, t) - entropy, 1e-6);
}

TEST(BatchLoss, AveragesOverTheRowsThatCount) {
  const std::vector<float> scores{1, 2, 3, 4, 9, 9};
  const std::vector<int> labels{0, 1, -1};
  std::vector<float> grad(6, 5);
  const double total = batch_loss(*make_loss({"cross-entropy"}), scores, {labels}, {}, grad);
  EXPECT_NEAR(total, std::log(1 + std::exp(1.0)) + std::log(1 + std::exp(-1.0)), 1e-6);
  EXPECT_NEAR(grad[0], (0.2689414f - 1) / 2, 1e-6);
  EXPECT_EQ(grad[4], 0);
}

TEST(BatchLoss, WeighsClassesAsPyTorchDoes) {
  const std::vector<float> scores{0, 0, 0, 0}, weights{3, 1};
  const std::vector<int> labels{0, 1};
  std::vector<float> grad(4);
  batch_loss(*make_loss({"cross-entropy"}), scores, {labels}, weights, grad);
  EXPECT_NEAR(grad[0], -0.5f * 3 / 4, 1e-6);
  EXPECT_NEAR(grad[3], -0.5f * 1 / 4, 1e-6);
}

TEST(BatchLoss, RowsOwnWeightsMultiplyThoseOfTheirClasses) {
  const std::vector<float> scores{0, 0, 0, 0}, classes{3, 1}, own{0.5f, 6};
  const std::vector<int> labels{0, 1};
  std::vector<float> grad(4), values(4);
  const Targets targets{labels, {}, {}, own};
  EXPECT_EQ(row_weight(targets, 0, classes), 1.5);
  EXPECT_EQ(row_weight(targets, 1, {}), 6);
  const double total = batch_loss(*make_loss({"cross-entropy"}), scores, targets, classes, grad);
  EXPECT_NEAR(total, std::log(2.0) * 7.5, 1e-6);
  EXPECT_NEAR(grad[0], -0.5f * 1.5f / 7.5f, 1e-6);
  EXPECT_NEAR(grad[3], -0.5f * 6 / 7.5f, 1e-6);
}

TEST(BatchLoss, RefusesScoresThatAreNoNumbers) {
  const std::vector<float> scores{0, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<int> labels{0};
  std::vector<float> grad(2);
  EXPECT_THROW(batch_loss(*make_loss({"cross-entropy"}), scores, {labels}, {}, grad), Error);
}

TEST(Losses, AnUnknownNameListsTheKnown) {
  try {
    make_loss({"nonsense"});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("cross-entropy"), std::string::npos);
  }
}

}  // namespace
}  // namespace graft
