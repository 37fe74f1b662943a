#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "finetune/losses/loss.h"
#include "runtime/core/random.h"
#include "runtime/core/training_kernels.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"

namespace graft {
namespace {

constexpr int64_t kRows = 9, kOutputs = 7;

struct Batch {
  std::vector<float> scores, rows, teacher;
  std::vector<int> labels;
  explicit Batch(bool several) {
    Random random(5);
    for (int64_t i = 0; i < kRows * kOutputs; ++i) {
      scores.push_back(random.uniform(-3, 3));
      teacher.push_back(random.uniform(-3, 3));
      if (several) rows.push_back(random.uniform() < 0.4f ? 1.0f : 0.0f);
    }
    for (int64_t i = 0; i < kRows; ++i)
      labels.push_back(i == 4 ? -1 : static_cast<int>(random.below(kOutputs)));  // one row counts for nothing
  }
};

const TrainingKernels& kernels() { return *cuda::emulated_backend(cpu_backend()).training_kernels(); }

/// The emulated device takes any memory.
LossBatch view(const Batch& b, bool teacher, std::vector<float>& slopes, float scale = 1) {
  return {b.scores.data(),
          b.labels.data(),
          b.rows.empty() ? nullptr : b.rows.data(),
          teacher ? b.teacher.data() : nullptr,
          nullptr,
          slopes.data(),
          scale};
}

void expect_same(const Choice& choice, const std::vector<float>& weights, bool several) {
  const std::string& name = choice.name;
  const LossPtr loss = make_loss(choice);
  if (several && !loss->takes_rows()) return;
  const Batch b(several);
  std::vector<float> expected(b.scores.size()), found(b.scores.size(), std::numeric_limits<float>::quiet_NaN());
  const std::span<const float> teacher(b.teacher.data(), loss->needs_teacher() ? b.teacher.size() : 0);
  // Where classes have weights, rows have some too.
  std::vector<float> own;
  for (size_t i = 0; !weights.empty() && i < b.labels.size(); ++i) own.push_back(0.25f * static_cast<float>(i + 1));
  const Targets targets{b.labels, b.rows, teacher, own};
  const double total = batch_loss(*loss, b.scores, targets, weights, expected);
  double weight = 0;
  for (size_t i = 0; i < b.labels.size(); ++i)
    if (b.labels[i] >= 0) weight += row_weight(targets, i, weights);
  const auto device = kernels().make_loss(choice, weights, kRows, kOutputs);
  ASSERT_NE(device, nullptr) << name;
  LossBatch batch = view(b, loss->needs_teacher(), found);
  batch.weights = own.empty() ? nullptr : own.data();
  device->compute(batch, true);
  const LossKernel::Sums sums = device->sums();
  EXPECT_TRUE(sums.finite);
  EXPECT_NEAR(sums.loss, total, 1e-9 * std::max(1.0, std::fabs(total))) << name;
  EXPECT_NEAR(sums.weight, weight, 1e-12) << name;
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-7f) << name << " at " << i;
}

TEST(DeviceLoss, EveryLossIsTheProcessors) {
  const SettingValues values{{"label-smoothing", "0.1"}, {"delta", "0.7"}};
  const std::vector<float> weights{1, 2, 0.5f, 1, 3, 1, 1};
  for (const std::string& name : loss_names())
    for (const bool several : {false, true}) {
      SCOPED_TRACE(name);
      expect_same(narrowed({name, values}, loss_components()), {}, several);
      expect_same(narrowed({name, values}, loss_components()), weights, several);
    }
}

TEST(DeviceLoss, AuxiliaryHeadsScaleTheirSlopesAndLeaveTheSumsAlone) {
  const Batch b(false);
  const auto device = kernels().make_loss({"cross-entropy"}, {}, kRows, kOutputs);
  std::vector<float> whole(b.scores.size()), part(b.scores.size());
  device->compute(view(b, false, whole), true);
  Batch other = b;
  for (float& v : other.scores) v *= 2;
  device->compute(view(other, false, part, 0.3f), false);
  std::vector<float> expected(b.scores.size());
  const double total = batch_loss(*make_loss({"cross-entropy"}), b.scores, {b.labels}, {}, expected);
  EXPECT_NEAR(device->sums().loss, total, 1e-9);
  batch_loss(*make_loss({"cross-entropy"}), other.scores, {b.labels}, {}, expected);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(part[i], 0.3f * expected[i], 1e-7f);
}

TEST(DeviceLoss, ScoresThatAreNotFiniteAreReported) {
  for (const float wild : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Batch b(false);
    b.scores[10] = wild;
    std::vector<float> slopes(b.scores.size());
    const auto device = kernels().make_loss({"cross-entropy"}, {}, kRows, kOutputs);
    device->compute(view(b, false, slopes), true);
    EXPECT_FALSE(device->sums().finite);
  }
}

TEST(DeviceLoss, UnknownOnesAreRefused) {
  EXPECT_TRUE(kernels().has_loss("cross-entropy"));
  EXPECT_FALSE(kernels().has_loss("no such loss"));
  EXPECT_THROW((void)kernels().make_loss({"no such loss"}, {}, kRows, kOutputs), Error);
}

TEST(DeviceLoss, ABatchThatCountsForNothingMovesNothing) {
  Batch b(false);
  std::fill(b.labels.begin(), b.labels.end(), -1);
  std::vector<float> slopes(b.scores.size(), 5.0f);
  const auto device = kernels().make_loss({"cross-entropy"}, {}, kRows, kOutputs);
  device->compute(view(b, false, slopes), true);
  EXPECT_EQ(device->sums().weight, 0);
  for (const float s : slopes) EXPECT_EQ(s, 0);
}

}  // namespace
}  // namespace graft
