#include "finetune/training/weight_update.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "runtime/cpu/cpu_backend.h"
#include "tests/finetune/job.h"

namespace graft {
namespace {

TEST(HostMultiTensor, ClippingKeepsTheDirectionOrCutsValues) {
  std::vector<float> gradient{3, -4, 0};
  const auto tensors = make_host_multi_tensor({3});
  const auto g = tensors->add_list({gradient.data()});
  tensors->clip_by_norm(g, 5.0001);
  EXPECT_EQ(gradient, (std::vector<float>{3, -4, 0}));
  tensors->clip_by_norm(g, 1);
  EXPECT_NEAR(gradient[0], 0.6f, 1e-6);
  EXPECT_NEAR(gradient[1], -0.8f, 1e-6);
  tensors->clip_by_value(g, 0.7f);
  EXPECT_NEAR(gradient[0], 0.6f, 1e-6);
  EXPECT_FLOAT_EQ(gradient[1], -0.7f);
}

/// The small network's head, its gradients written by hand in the place of a backward pass.
class WeightUpdateTest : public testing::Test {
 protected:
  WeightUpdateTest() {
    for (const auto& [tensor, output] : plan_.gradients) {
      state_.parameters.push_back({"", tensor, plan_.plan.output(output).as<float>(), 1, 0, 0});
      gradients_.emplace_back(plan_.plan.output(output).as<float>(), tensor->data<float>().size());
    }
    state_.slots = optimizer_->make_state(state_.parameters);
    set_gradient(0, 0);
  }
  WeightUpdate make(int64_t accumulate = 1) {
    return {plan_, state_, options_, choose_targets(cpu_backend(), host_, *optimizer_, options_).update, accumulate};
  }
  /// Of the first parameter's first two elements; all others are 0.
  void set_gradient(float first, float second) {
    for (const auto& g : gradients_) std::fill(g.begin(), g.end(), 0.0f);
    gradients_[0][0] = first;
    gradients_[0][1] = second;
  }
  std::span<float> weights() { return state_.parameters[0].tensor->data<float>(); }

  Job job_ = make_job("all");
  TrainingPlan plan_ = compile_training(job_.graph, {4, 64, 64}, cpu_backend(), 1);
  TrainOptions options_ = with_sgd();
  LossPtr loss_ = make_loss(options_.loss);
  OptimizerPtr optimizer_ = make_optimizer(options_.optimizer);
  TrainingState state_;
  HostKernels host_{*loss_, *optimizer_, state_.parameters, state_.slots};
  std::vector<std::span<float>> gradients_;

 private:
  static TrainOptions with_sgd() {
    TrainOptions options = small_options(1);
    options.batch = 4;
    options.optimizer = {"sgd"};
    return options;
  }
};

TEST_F(WeightUpdateTest, AccumulationWeighsBatches) {
  WeightUpdate update = make(2);
  EXPECT_FALSE(update.finish_accumulation());
  set_gradient(1, 2);
  update.accumulate(1);
  set_gradient(5, -2);
  update.accumulate(3);
  EXPECT_TRUE(update.finish_accumulation());
  const float* const gradient = state_.parameters[0].gradient;
  EXPECT_NE(gradient, gradients_[0].data());  // the rule reads the sum
  EXPECT_FLOAT_EQ(gradient[0], (1 + 3 * 5) / 4.0f);
  EXPECT_FLOAT_EQ(gradient[1], (2 - 3 * 2) / 4.0f);
  update.accumulate(2);  // begins anew
  EXPECT_TRUE(update.finish_accumulation());
  EXPECT_FLOAT_EQ(gradient[0], 5);
  update.accumulate(0);
  EXPECT_FALSE(update.finish_accumulation());
  EXPECT_EQ(gradient[0], 0);
}

TEST_F(WeightUpdateTest, SharpnessGoesRhoAlongTheGradientAndBackBitForBit) {
  options_.gradient.sharpness = 0.5f;
  WeightUpdate update = make();
  std::vector<std::vector<float>> before;
  for (const Parameter& p : state_.parameters)
    before.emplace_back(p.tensor->data<float>().begin(), p.tensor->data<float>().end());
  set_gradient(3, 4);
  update.perturb();
  EXPECT_NEAR(weights()[0], before[0][0] + 0.5f * 0.6f, 1e-6);
  EXPECT_NEAR(weights()[1], before[0][1] + 0.5f * 0.8f, 1e-6);
  EXPECT_EQ(weights()[2], before[0][2]);
  update.restore();
  for (size_t p = 0; p < before.size(); ++p)
    EXPECT_EQ(std::memcmp(before[p].data(), state_.parameters[p].tensor->raw(), before[p].size() * sizeof(float)), 0);
}

TEST_F(WeightUpdateTest, AnAverageFollowsAndChangesPlaces) {
  state_.average.emplace(0.9f);
  WeightUpdate update = make();
  weights()[0] = 10;
  update.prepare(0, 1);  // at a rate of 0 the rule leaves the weights alone
  update.apply();
  EXPECT_EQ(state_.average->values()[0].data<float>()[0], 10);
  weights()[0] = 20;
  update.prepare(0, 2);
  update.apply();
  state_.average->swap(state_.parameters);
  EXPECT_FLOAT_EQ(weights()[0], 11);
  state_.average->swap(state_.parameters);
  EXPECT_FLOAT_EQ(weights()[0], 20);
}

TEST_F(WeightUpdateTest, AScaledGradientThatIsNotFiniteChangesNothing) {
  state_.loss_scale.emplace();
  WeightUpdate update = make();
  const float before = weights()[0];
  set_gradient(std::numeric_limits<float>::infinity(), 1);
  update.prepare(1, 1);
  update.apply();
  EXPECT_FALSE(update.applied());
  EXPECT_EQ(weights()[0], before);
  set_gradient(static_cast<float>(state_.loss_scale->value), 0);  // 1, times the scale
  update.prepare(1, 1);
  update.apply();
  EXPECT_TRUE(update.applied());
  EXPECT_FLOAT_EQ(weights()[0], before - 1);
}

}  // namespace
}  // namespace graft
