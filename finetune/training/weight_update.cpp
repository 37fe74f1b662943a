#include "finetune/training/weight_update.h"

#include <algorithm>

#include "runtime/core/error.h"

namespace graft {
namespace {

size_t gradient_output(const TrainingPlan& plan, const Parameter& parameter) {
  const auto at = std::find_if(plan.gradients.begin(), plan.gradients.end(),
                               [&](const auto& g) { return g.first == parameter.tensor; });
  if (at == plan.gradients.end())
    throw Error("the plan has no gradient of parameter \"" + parameter.name + "\"", {}, ErrorCode::internal);
  return at->second;
}

size_t bytes_of(const ParameterView& p) { return static_cast<size_t>(p.count) * sizeof(float); }

}  // namespace

WeightUpdate::WeightUpdate(TrainingPlan& plan, TrainingState& state, const TrainOptions& options,
                           const StepTarget& target, int64_t accumulate)
    : plan_(plan),
      state_(state),
      options_(options),
      device_(target.device),
      released_early_(!plan.plan.graph().early_releases.empty()) {
  std::vector<int64_t> counts;
  std::vector<float*> weights, gradients;
  for (size_t i = 0; i < state.parameters.size(); ++i) {
    const Parameter& p = state.parameters[i];
    ParameterView view;
    view.count = p.tensor->elements();
    view.lr_scale = p.lr_scale;
    view.weight_decay = p.weight_decay;
    view.l1 = p.l1;
    view.rows = p.tensor->shape().rank() > 1 ? p.tensor->shape()[0] : 0;
    view.weights = device_.shares_host_memory() ? p.tensor->data<float>().data()
                                                : static_cast<float*>(plan.plan.address_of(*p.tensor));
    for (size_t s = 0; s < state.slots.slots(); ++s)
      view.slots[s] = slots_.emplace_back(device_, state.slots.of(i, s)).data();
    counts.push_back(view.count);
    weights.push_back(view.weights);
    gradients.push_back(target.output(plan.plan, gradient_output(plan, p)));
    parameters_.push_back(view);
  }
  tensors_ = target.kernels.make_multi_tensor(counts);
  weights_ = tensors_->add_list(weights);
  batch_gradient_ = gradient_ = tensors_->add_list(gradients);
  if (accumulate > 1) {
    gradients = allocate_like_parameters();
    gradient_ = tensors_->add_list(gradients);
  }
  if (options.gradient.sharpness > 0) before_ = tensors_->add_list(allocate_like_parameters());
  for (size_t i = 0; i < gradients.size(); ++i) parameters_[i].gradient = gradients[i];
  optimizer_ = target.kernels.make_optimizer(options.optimizer, parameters_);
}

std::vector<float*> WeightUpdate::allocate_like_parameters() {
  std::vector<float*> made;
  for (const ParameterView& p : parameters_) made.push_back(buffers_.emplace_back(device_, bytes_of(p)).as<float>());
  return made;
}

void WeightUpdate::refresh_plan() {
  if (device_.shares_host_memory()) plan_.plan.refresh();
}

void WeightUpdate::accumulate(double weight) {
  tensors_->add(gradient_, batch_gradient_, static_cast<float>(weight), !begun_);
  begun_ = true;
  weight_ += weight;
}

bool WeightUpdate::finish_accumulation() {
  const bool any = begun_ && weight_ > 0;
  tensors_->scale(gradient_, any ? static_cast<float>(1 / weight_) : 0.0f);
  begun_ = false;
  weight_ = 0;
  return any;
}

void WeightUpdate::perturb() {
  tensors_->copy(before_, weights_);
  if (state_.loss_scale) tensors_->unscale(gradient_, 1);  // its length alone matters, and whether it is finite
  tensors_->perturb(weights_, gradient_, static_cast<double>(options_.gradient.sharpness));
  refresh_plan();
}

void WeightUpdate::restore() {
  tensors_->copy(weights_, before_);
  refresh_plan();
}

void WeightUpdate::prepare(float lr, int64_t step) {
  upload_state();
  optimizer_->prepare(lr, step);
}

void WeightUpdate::apply() {
  if (!released_early_) {
    if (state_.loss_scale) {
      tensors_->unscale(gradient_, static_cast<float>(1 / state_.loss_scale->value));
      tensors_->download_flag();
    }
    if (options_.gradient.clip_norm > 0)
      tensors_->clip_by_norm(gradient_, static_cast<double>(options_.gradient.clip_norm));
    if (options_.gradient.clip_value > 0) tensors_->clip_by_value(gradient_, options_.gradient.clip_value);
    optimizer_->apply(state_.loss_scale ? tensors_->finite_flag() : nullptr);
  }
  refresh_plan();
  if (state_.average) update_average();
}

void WeightUpdate::update_average() {
  std::vector<Tensor>& values = state_.average->values();
  const bool first = values.empty();
  if (first)
    for (const Parameter& p : state_.parameters) values.emplace_back(DType::f32, p.tensor->shape());
  if (averages_.empty()) make_average_list();
  if (first)
    tensors_->copy(average_, weights_);
  else
    tensors_->lerp(average_, weights_, 1 - state_.average->decay());
}

void WeightUpdate::make_average_list() {
  std::vector<float*> addresses;
  for (Tensor& value : state_.average->values())
    addresses.push_back(averages_.emplace_back(device_, value.data<float>()).data());
  average_ = tensors_->add_list(addresses);
}

void WeightUpdate::upload_state() {
  if (uploaded_) return;
  for (const Mirror& slot : slots_) slot.upload();
  if (state_.average && !state_.average->values().empty()) {
    if (averages_.empty()) make_average_list();
    for (const Mirror& average : averages_) average.upload();
  }
  uploaded_ = true;
}

void WeightUpdate::synchronize() {
  if (!uploaded_) return;
  for (size_t p = 0; p < parameters_.size(); ++p)
    device_.download(state_.parameters[p].tensor->raw(), parameters_[p].weights, bytes_of(parameters_[p]));
  for (const Mirror& slot : slots_) slot.download();
  for (const Mirror& average : averages_) average.download();
  device_.synchronize();
  uploaded_ = false;
}

bool releases_gradients_early(const Backend& backend, const Optimizer& optimizer, const TrainOptions& options,
                              int64_t accumulate) {
  return !backend.device() && !optimizer.minimises() && accumulate <= 1 && options.gradient.sharpness <= 0 &&
         options.gradient.clip_norm <= 0 && options.gradient.clip_value <= 0;
}

}  // namespace graft
