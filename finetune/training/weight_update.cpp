#include "finetune/training/weight_update.h"

#include <cmath>

#include "finetune/training/device_optimizer.h"
#include "finetune/training/gradient_work.h"

namespace graft {
namespace {

class UpdateHere final : public WeightUpdate {
 public:
  UpdateHere(TrainingPlan& plan, TrainingState& state, Optimizer& optimizer, const TrainOptions& options,
             int64_t accumulate)
      : plan_(plan), state_(state), optimizer_(optimizer), options_(options) {
    if (accumulate > 1) accumulator_.emplace(state_.parameters);
    if (options_.gradient.sharpness > 0) sharpness_.emplace(options_.gradient.sharpness);
  }
  void accumulate(double weight) override { accumulator_->add(weight); }
  bool gather() override { return accumulator_->finish(); }
  void perturb() override {
    if (state_.loss_scale && !finite()) return;
    climbed_ = true;
    sharpness_->perturb(state_.parameters);
    plan_.plan.refresh();
  }
  void restore() override {
    if (!climbed_) return;
    climbed_ = false;
    sharpness_->restore(state_.parameters);
    plan_.plan.refresh();
  }
  void prepare(float lr, int64_t step) override {
    lr_ = lr;
    step_ = step;
  }
  void apply() override {
    if (!plan_.plan.graph().early_releases.empty()) return finish();
    took_place_ = !state_.loss_scale || finite();
    if (!took_place_) return;
    if (state_.loss_scale) scale_gradients(state_.parameters, static_cast<float>(1 / state_.loss_scale->value));
    if (options_.gradient.clip_norm > 0)
      clip_gradient_norm(state_.parameters, static_cast<double>(options_.gradient.clip_norm));
    if (options_.gradient.clip_value > 0) clip_gradient_values(state_.parameters, options_.gradient.clip_value);
    optimizer_.step(lr_, step_, state_.parameters, state_.slots);
    finish();
  }
  void apply_to(size_t p) override { optimizer_.step_on({&p, 1}, lr_, step_, state_.parameters, state_.slots); }
  bool applied() override { return took_place_; }

 private:
  void finish() {
    plan_.plan.refresh();
    if (state_.average) state_.average->update(state_.parameters);
  }
  bool finite() const { return std::isfinite(gradient_norm(state_.parameters)); }

  TrainingPlan& plan_;
  TrainingState& state_;
  Optimizer& optimizer_;
  const TrainOptions& options_;
  std::optional<GradientAccumulator> accumulator_;
  std::optional<SharpnessStep> sharpness_;
  bool climbed_ = false, took_place_ = true;
  float lr_ = 0;
  int64_t step_ = 0;
};

}  // namespace

bool updates_go_along(const Backend& backend, const Optimizer& optimizer, const TrainOptions& options,
                      int64_t accumulate) {
  return !backend.device() && !optimizer.minimises() && accumulate <= 1 && options.gradient.sharpness <= 0 &&
         options.gradient.clip_norm <= 0 && options.gradient.clip_value <= 0;
}

std::unique_ptr<WeightUpdate> make_weight_update(TrainingPlan& plan, TrainingState& state, Optimizer& optimizer,
                                                 const TrainOptions& options, int64_t accumulate) {
  if (!optimizer.minimises())
    if (auto there = DeviceOptimizer::make(plan, state, options, accumulate)) return there;
  return std::make_unique<UpdateHere>(plan, state, optimizer, options, accumulate);
}

}  // namespace graft
