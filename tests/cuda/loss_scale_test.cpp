// Training in float16: the loss is scaled up, and steps whose slopes overflow are left out.
#include "finetune/training/loss_scale.h"

#include <gtest/gtest.h>

#include <cmath>

#include "finetune/losses/loss.h"
#include "finetune/training/training_step.h"
#include "runtime/core/random.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"
#include "tests/finetune/job.h"

namespace graft {
namespace {

TEST(LossScale, HalvesAtOnceAndDoublesAfterTwoThousandSteps) {
  LossScale scale;
  scale.observe(false);
  EXPECT_EQ(scale.value, 32768);
  for (int i = 0; i < 1999; ++i) scale.observe(true);
  EXPECT_EQ(scale.value, 32768);
  scale.observe(true);
  EXPECT_EQ(scale.value, 65536);
  for (int i = 0; i < 1999; ++i) scale.observe(true);
  scale.observe(false);
  EXPECT_EQ(scale.value, 32768);
  EXPECT_EQ(scale.good, 0);
}

/// A run of the small network; on the device too, with or without what looks at gradients.
TrainResult run_on(const Backend& backend, const std::function<void(TrainOptions&)>& change = {}) {
  Job job = make_job("last:3", 0, BatchNormPolicy::train);
  const ArraySource training("demo", 3, 3, 64, 1), validation("demo", 3, 1, 64, 2);
  TrainOptions options = small_options(2);
  options.batch = 4;
  options.rate.lr = 0.005f;  // small steps: what halves round away must not grow
  if (change) change(options);
  return train(job.graph, job.head.parameters, training, validation, 3, options, {}, backend);
}

TEST(LossScale, TrainingInFloat16GoesWhereFloatsGo) {
  const auto plain = run_on(cpu_backend());
  const auto halves = run_on(cuda::emulated_backend(cpu_backend(), DType::f16));
  ASSERT_EQ(halves.history.size(), plain.history.size());
  for (size_t e = 0; e < plain.history.size(); ++e)
    EXPECT_NEAR(halves.history[e].train_loss, plain.history[e].train_loss, 0.05 * (1 + plain.history[e].train_loss))
        << "epoch " << e + 1;
}

TEST(LossScale, GoesWithEverythingElseThatLooksAtGradients) {
  const std::function<void(TrainOptions&)> changes[] = {
      [](TrainOptions& o) { o.gradient.accumulate = 2; },
      [](TrainOptions& o) { o.gradient.clip_norm = 0.5f, o.averaging.decay = 0.9f; },
      [](TrainOptions& o) { o.gradient.sharpness = 0.05f, o.gradient.clip_value = 0.01f; },
  };
  for (const auto& change : changes) {
    const auto plain = run_on(cpu_backend(), change);
    const auto halves = run_on(cuda::emulated_backend(cpu_backend(), DType::f16), change);
    EXPECT_NEAR(halves.history.back().train_loss, plain.history.back().train_loss,
                0.05 * (1 + plain.history.back().train_loss));
  }
}

/// Takes steps with a scale that no slope survives, on this side or there, and returns the scale after each and whether
/// weights moved.
TEST(LossScale, StepsThatOverflowAreLeftOutUntilTheScaleFits) {
  for (const char* optimizer_name : {"momentum", "lars"}) {
    Job job = make_job("all");
    const Backend& backend = cuda::emulated_backend(cpu_backend(), DType::f16);
    retype(job.graph, {4, 64, 64}, backend);
    TrainingPlan plan = compile_training(job.graph, {4, 64, 64}, backend, 1);
    TrainOptions options = small_options(1);
    options.batch = 4;
    options.optimizer = {optimizer_name};
    const LossPtr loss = make_loss(options.loss);
    const OptimizerPtr optimizer = make_optimizer(options.optimizer);
    TrainingState state;
    for (const auto& [tensor, output] : plan.gradients)
      state.parameters.push_back({"", tensor, plan.plan.output(output).as<float>(), 1, 0, 0});
    state.slots = optimizer->make_state(state.parameters);
    state.loss_scale = LossScale{std::ldexp(1.0, 40), 0};
    TrainingStep step(plan, state, *loss, *optimizer, options, 3, 1);
    std::vector<float> picture(4 * 64 * 64 * 3);
    Random random(3);
    for (float& v : picture) v = random.uniform(-1, 1);
    FeedBatch batch;
    batch.inputs = {picture.data()};
    batch.labels = {0, 1, 2, 0};
    const std::vector<float> before = all_parameters(job.graph);
    step.run(batch, 0.1f, true);
    step.synchronize();
    EXPECT_EQ(all_parameters(job.graph), before);
    EXPECT_EQ(state.step, 0);
    EXPECT_EQ(state.loss_scale->value, std::ldexp(1.0, 39));
    int steps = 1;
    for (; state.step == 0 && steps < 60; ++steps) step.run(batch, 0.1f, true);
    step.synchronize();
    EXPECT_EQ(state.step, 1);
    EXPECT_NE(all_parameters(job.graph), before);
    EXPECT_LT(state.loss_scale->value, std::ldexp(1.0, 39));
    EXPECT_GT(steps, 3);
  }
}

}  // namespace
}  // namespace graft
