#include "finetune/resident_update.h"

#include <algorithm>

namespace graft {
namespace {

size_t bytes_of(const DeviceParameter& p) { return static_cast<size_t>(p.count) * sizeof(float); }

}  // namespace

ResidentUpdate::ResidentUpdate(TrainingPlan& plan, TrainingState& state) : plan_(plan), state_(state), memory_(*plan.plan.backend().memory()) {}

std::unique_ptr<ResidentUpdate> ResidentUpdate::make(TrainingPlan& plan, TrainingState& state, const std::string& rule, const OptimizerOptions& options) {
  const Backend& backend = plan.plan.backend();
  const auto* updates = dynamic_cast<const DeviceUpdates*>(backend.extension(DeviceUpdates::kName));
  if (!backend.memory() || !updates) return nullptr;
  std::unique_ptr<ResidentUpdate> made(new ResidentUpdate(plan, state));
  std::vector<size_t> outputs;
  for (const Parameter& p : state.parameters) {
    const auto at = std::find_if(plan.gradients.begin(), plan.gradients.end(), [&](const auto& g) { return g.first == p.tensor; });
    if (at == plan.gradients.end()) return nullptr;
    DeviceParameter there;
    there.weights = static_cast<float*>(plan.plan.address_of(*p.tensor));
    there.count = p.tensor->elements();
    there.lr_scale = p.lr_scale;
    there.weight_decay = p.weight_decay;
    there.l1 = p.l1;
    for (size_t s = 0; s < state.slots.slots(); ++s) {
      made->rooms_.push_back(made->memory_.allocate(std::max<size_t>(bytes_of(there), 1)));
      there.slots[s] = static_cast<float*>(made->rooms_.back());
    }
    made->parameters_.push_back(there);
    outputs.push_back(at->second);
  }
  if (!updates->knows(rule)) return nullptr;  // asked before gradients cease to cross
  for (size_t i = 0; i < outputs.size(); ++i) made->parameters_[i].gradient = static_cast<const float*>(plan.plan.keep_output(outputs[i]));
  made->update_ = updates->make(rule, options, made->parameters_);
  return made;
}

ResidentUpdate::~ResidentUpdate() {
  update_.reset();
  for (void* room : rooms_) memory_.release(room);
}

void ResidentUpdate::step(float lr, int64_t step) {
  if (!away_) {
    for (size_t p = 0; p < parameters_.size(); ++p)
      for (size_t s = 0; s < state_.slots.slots(); ++s) memory_.upload(parameters_[p].slots[s], state_.slots.of(p, s).data(), bytes_of(parameters_[p]));
    away_ = true;
  }
  update_->step(lr, step);
}

void ResidentUpdate::settle() {
  if (!away_) return;
  for (size_t p = 0; p < parameters_.size(); ++p) {
    memory_.download(state_.parameters[p].tensor->raw(), parameters_[p].weights, bytes_of(parameters_[p]));
    for (size_t s = 0; s < state_.slots.slots(); ++s) memory_.download(state_.slots.of(p, s).data(), parameters_[p].slots[s], bytes_of(parameters_[p]));
  }
  memory_.wait();
  away_ = false;
}

}  // namespace graft
