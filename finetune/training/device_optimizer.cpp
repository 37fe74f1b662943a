#include "finetune/training/device_optimizer.h"

#include <algorithm>

namespace graft {
namespace {

size_t bytes_of(const ParameterView& p) { return static_cast<size_t>(p.count) * sizeof(float); }

}  // namespace

DeviceOptimizer::DeviceOptimizer(TrainingPlan& plan, TrainingState& state, const TrainOptions& options)
    : plan_(plan), state_(state), options_(options), device_(*plan.plan.backend().device()) {}

float* DeviceOptimizer::allocate(size_t bytes) { return buffers_.emplace_back(device_, bytes).as<float>(); }

std::vector<float*> DeviceOptimizer::allocate_like_parameters() {
  std::vector<float*> made;
  for (const ParameterView& p : parameters_) made.push_back(allocate(bytes_of(p)));
  return made;
}

std::unique_ptr<DeviceOptimizer> DeviceOptimizer::make(TrainingPlan& plan, TrainingState& state,
                                                       const TrainOptions& options, int64_t accumulate) {
  const Backend& backend = plan.plan.backend();
  const TrainingKernels* const kernels = backend.training_kernels();
  if (!kernels || !kernels->has_optimizer(options.optimizer.name)) return nullptr;
  std::unique_ptr<DeviceOptimizer> made(new DeviceOptimizer(plan, state, options));
  std::vector<size_t> outputs;
  for (const Parameter& p : state.parameters) {
    const auto at =
        std::find_if(plan.gradients.begin(), plan.gradients.end(), [&](const auto& g) { return g.first == p.tensor; });
    if (at == plan.gradients.end()) return nullptr;
    outputs.push_back(at->second);
  }
  std::vector<int64_t> counts;
  std::vector<float*> weights, gradients;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Parameter& p = state.parameters[i];
    ParameterView view;
    view.weights = static_cast<float*>(plan.plan.address_of(*p.tensor));
    view.count = p.tensor->elements();
    view.lr_scale = p.lr_scale;
    view.weight_decay = p.weight_decay;
    view.l1 = p.l1;
    view.rows = p.tensor->shape().rank() > 1 ? p.tensor->shape()[0] : 0;
    counts.push_back(view.count);
    weights.push_back(view.weights);
    gradients.push_back(static_cast<float*>(plan.plan.keep_output(outputs[i])));
    made->parameters_.push_back(view);
  }
  for (size_t s = 0; s < state.slots.slots(); ++s)
    for (size_t i = 0; i < outputs.size(); ++i)
      made->parameters_[i].slots[s] = made->allocate(state.slots.of(i, s).size_bytes());
  made->tensors_ = kernels->make_multi_tensor(counts);
  made->weights_ = made->tensors_->add_list(weights);
  made->fresh_ = made->gradient_ = made->tensors_->add_list(gradients);
  if (accumulate > 1) {
    gradients = made->allocate_like_parameters();
    made->gradient_ = made->tensors_->add_list(gradients);
  }
  if (options.gradient.sharpness > 0) made->before_ = made->tensors_->add_list(made->allocate_like_parameters());
  if (state.average) {
    made->average_buffers_ = made->allocate_like_parameters();
    made->averages_ = made->tensors_->add_list(made->average_buffers_);
  }
  for (size_t i = 0; i < gradients.size(); ++i) made->parameters_[i].gradient = gradients[i];
  made->update_ = kernels->make_optimizer(options.optimizer, made->parameters_);
  return made;
}

void DeviceOptimizer::upload_state() {
  if (on_device_) return;
  for (size_t p = 0; p < parameters_.size(); ++p)
    for (size_t s = 0; s < state_.slots.slots(); ++s)
      device_.upload(parameters_[p].slots[s], state_.slots.of(p, s).data(), state_.slots.of(p, s).size_bytes());
  averaging_ = state_.average && !state_.average->values().empty();
  if (averaging_)
    for (size_t p = 0; p < parameters_.size(); ++p)
      device_.upload(average_buffers_[p], state_.average->values()[p].raw(), bytes_of(parameters_[p]));
  on_device_ = true;
}

void DeviceOptimizer::accumulate(double weight) {
  tensors_->add(gradient_, fresh_, static_cast<float>(weight), weight_ == 0);
  weight_ += weight;
}

bool DeviceOptimizer::gather() {
  const bool any = weight_ > 0;
  if (any) tensors_->scale(gradient_, static_cast<float>(1 / weight_));
  weight_ = 0;
  return any;
}

void DeviceOptimizer::perturb() {
  tensors_->copy(before_, weights_);
  if (state_.loss_scale) tensors_->unscale(gradient_, 1);  // its length alone matters, and whether it is finite
  tensors_->perturb(weights_, gradient_, static_cast<double>(options_.gradient.sharpness));
}

void DeviceOptimizer::restore() { tensors_->copy(weights_, before_); }

void DeviceOptimizer::prepare(float lr, int64_t step) {
  upload_state();
  update_->prepare(lr, step);
}

void DeviceOptimizer::apply() {
  if (state_.loss_scale) {
    tensors_->unscale(gradient_, static_cast<float>(1 / state_.loss_scale->value));
    tensors_->download_flag();
  }
  if (options_.gradient.clip_norm > 0)
    tensors_->clip_by_norm(gradient_, static_cast<double>(options_.gradient.clip_norm));
  if (options_.gradient.clip_value > 0) tensors_->clip_by_value(gradient_, options_.gradient.clip_value);
  update_->apply(state_.loss_scale ? tensors_->finite_flag() : nullptr);
  if (!state_.average) return;
  if (averaging_)
    tensors_->lerp(averages_, weights_, 1 - state_.average->decay());
  else
    tensors_->copy(averages_, weights_);
  averaging_ = true;
}

bool DeviceOptimizer::applied() { return !state_.loss_scale || tensors_->was_finite(); }

void DeviceOptimizer::synchronize() {
  if (!on_device_) return;
  if (averaging_ && state_.average->values().empty())
    for (const Parameter& p : state_.parameters) state_.average->values().emplace_back(DType::f32, p.tensor->shape());
  for (size_t p = 0; p < parameters_.size(); ++p) {
    device_.download(state_.parameters[p].tensor->raw(), parameters_[p].weights, bytes_of(parameters_[p]));
    for (size_t s = 0; s < state_.slots.slots(); ++s)
      device_.download(state_.slots.of(p, s).data(), parameters_[p].slots[s], state_.slots.of(p, s).size_bytes());
    if (averaging_) device_.download(state_.average->values()[p].raw(), average_buffers_[p], bytes_of(parameters_[p]));
  }
  device_.synchronize();
  on_device_ = false;
}

}  // namespace graft
