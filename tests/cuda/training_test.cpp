// Whole runs on a device: they go where the processor's go, and a step is one captured graph.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "finetune/losses/loss.h"
#include "finetune/training/training_step.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"
#include "runtime/cuda/emulated_device.h"
#include "tests/finetune/job.h"

namespace graft {
namespace {

using Change = std::function<void(TrainOptions&)>;

/// A device that counts captured graphs and how often they are replayed.
class CountingBackend final : public Backend {
 public:
  explicit CountingBackend(const Backend& device) : device_(device) {}
  std::string_view name() const override { return device_.name(); }
  DType activations() const override { return device_.activations(); }
  const TrainingKernels* training_kernels() const override { return device_.training_kernels(); }
  const Device* device() const override { return device_.device(); }
  const Backend& host() const override { return device_.host(); }
  bool may_overwrite(const Operator& op, int input) const override { return device_.may_overwrite(op, input); }
  void begin(const StepContext& step) const override { device_.begin(step); }
  std::unique_ptr<CapturedGraph> capture(const std::function<void()>& work) const override {
    ++captured;
    return std::make_unique<Counted>(*this, device_.capture(work));
  }
  std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const override {
    return device_.make_kernel(request);
  }
  void use_threads(int threads) const override { device_.use_threads(threads); }

  mutable int captured = 0, replayed = 0;

 private:
  class Counted final : public CapturedGraph {
   public:
    Counted(const CountingBackend& backend, std::unique_ptr<CapturedGraph> graph)
        : backend_(backend), graph_(std::move(graph)) {}
    void replay() override {
      ++backend_.replayed;
      graph_->replay();
    }

   private:
    const CountingBackend& backend_;
    std::unique_ptr<CapturedGraph> graph_;
  };
  const Backend& device_;
};

struct Outcome {
  std::vector<float> parameters;  // running statistics too
  TrainResult result;
};

constexpr int kEpochs = 3, kPerClass = 8;
constexpr int64_t kBatch = 4;

Outcome run_on(const Backend& backend, const Change& change) {
  Job job = make_job("last:3", 0, BatchNormPolicy::train);
  const ArraySource training("demo", 3, kPerClass, 64, 1), validation("demo", 3, 2, 64, 2);
  TrainOptions options = small_options(kEpochs);
  options.batch = kBatch;
  options.rate.lr = 0.005f;  // small steps: what is added up in another order must not grow
  change(options);
  Outcome o;
  o.result = train(job.graph, job.head.parameters, training, validation, 3, options, {}, backend);
  o.parameters = all_parameters(job.graph);
  return o;
}

const Backend& emulated() { return cuda::emulated_backend(cpu_backend()); }

TEST(DeviceTraining, GoesWhereTheProcessorsGoes) {
  const std::pair<const char*, Change> changes[] = {
      {"plain", [](TrainOptions&) {}},
      {"average", [](TrainOptions& o) { o.averaging.decay = 0.9f; }},
      {"sharpness", [](TrainOptions& o) { o.gradient.sharpness = 0.05f; }},
      {"accumulation", [](TrainOptions& o) { o.gradient.accumulate = 2; }},
      {"clipping", [](TrainOptions& o) { o.gradient.clip_norm = 0.5f, o.gradient.clip_value = 0.1f; }},
      {"lamb", [](TrainOptions& o) { o.optimizer = {"lamb"}; }},
      {"features made anew", [](TrainOptions& o) { o.cache.mode = CacheOptions::Mode::off; }},
      {"recalibration", [](TrainOptions& o) { o.averaging.recalibrate = true; }},
  };
  for (const auto& [name, change] : changes) {
    SCOPED_TRACE(name);
    const CountingBackend device(emulated());
    const Outcome here = run_on(cpu_backend(), change), there = run_on(device, change);
    EXPECT_GT(device.replayed, 0);
    ASSERT_EQ(here.parameters.size(), there.parameters.size());
    double worst = 0;
    for (size_t i = 0; i < here.parameters.size(); ++i)
      worst = std::max(worst, std::fabs(static_cast<double>(here.parameters[i] - there.parameters[i])) /
                                  (1 + std::fabs(static_cast<double>(here.parameters[i]))));
    EXPECT_LT(worst, 1e-3);
    ASSERT_EQ(here.result.history.size(), there.result.history.size());
    for (size_t e = 0; e < here.result.history.size(); ++e)
      EXPECT_NEAR(here.result.history[e].train_loss, there.result.history[e].train_loss, 1e-3);
  }
}

/// Streams that run as late as they may find work that no event orders, and memory that is overwritten too early.
TEST(DeviceTraining, IsTheSameBitForBitOnADeviceThatDefersItsWork) {
  constexpr auto kDeferred = cuda::EmulatedStream::Execution::deferred;
  const auto deferred =
      cuda::make_emulated_backend(std::make_unique<cuda::EmulatedDevice>(kDeferred, kDeferred), cpu_backend());
  const std::pair<const char*, Change> changes[] = {
      {"average", [](TrainOptions& o) { o.averaging.decay = 0.9f; }},
      {"accumulation", [](TrainOptions& o) { o.gradient.accumulate = 2; }},
      {"sharpness", [](TrainOptions& o) { o.gradient.sharpness = 0.05f; }},
      {"features made anew", [](TrainOptions& o) { o.cache.mode = CacheOptions::Mode::off; }},
  };
  for (const auto& [name, change] : changes) {
    SCOPED_TRACE(name);
    const Outcome at_once = run_on(emulated(), change), late = run_on(*deferred, change);
    EXPECT_EQ(at_once.parameters, late.parameters);
    ASSERT_EQ(at_once.result.history.size(), late.result.history.size());
    for (size_t e = 0; e < late.result.history.size(); ++e)
      EXPECT_EQ(at_once.result.history[e].train_loss, late.result.history[e].train_loss);
  }
}

TEST(DeviceTraining, AStepIsOneCapturedGraph) {
  const CountingBackend device(emulated());
  Job job = make_job("all");
  TrainingPlan plan = compile_training(job.graph, {kBatch, 64, 64}, device, 1);
  TrainOptions options = small_options(1);
  options.batch = kBatch;
  const LossPtr loss = make_loss(options.loss);
  const OptimizerPtr optimizer = make_optimizer(options.optimizer);
  TrainingState state;
  for (const auto& [tensor, output] : plan.gradients)
    state.parameters.push_back({"", tensor, plan.plan.output(output).as<float>(), 1, 0, 0});
  state.slots = optimizer->make_state(state.parameters);
  TrainingStep step(plan, state, *loss, *optimizer, options, 3, 1);
  const std::vector<float> picture(kBatch * 64 * 64 * 3, 0.5f);
  FeedBatch batch;
  batch.inputs = {picture.data()};
  batch.labels = {0, 1, 2, 0};
  constexpr int kSteps = 5;
  double before = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double now = step.run(batch, 0.01f, true).loss;
    if (i > 0) {
      EXPECT_LT(now, before);
    }
    before = now;
  }
  EXPECT_EQ(state.step, kSteps);
  EXPECT_EQ(device.captured, 1);
  EXPECT_EQ(device.replayed, kSteps - 1);  // in the first, kernels choose their algorithms
}

}  // namespace
}  // namespace graft
