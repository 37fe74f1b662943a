#include <algorithm>

#include "finetune/optimizers/fused.h"
#include "finetune/optimizers/optimizer.h"
#include "finetune/optimizers/rules/all.h"
#include "runtime/core/registry.h"

namespace graft {
namespace {

const Registry<OptimizerPtr, const OptimizerOptions&>& registry() {
#define GRAFT_ENTRY(name) \
  {#name, [](const OptimizerOptions& o) { return rules::name(o, [](const auto& rule) { return fused(rule); }); }},
  static const Registry<OptimizerPtr, const OptimizerOptions&> table(
      "optimizer", {GRAFT_ELEMENT_RULES(GRAFT_ENTRY){"lars", make_lars}, {"lamb", make_lamb}, {"lbfgs", make_lbfgs}});
#undef GRAFT_ENTRY
  return table;
}

}  // namespace

OptimizerPtr make_optimizer(const std::string& name, const OptimizerOptions& options) {
  return registry().make(name, options);
}

std::vector<std::string> optimizer_names() { return registry().names(); }

void Optimizer::step(float lr, int64_t step, const std::vector<Parameter>& parameters, OptimizerState& state) {
  step_on(every(parameters), lr, step, parameters, state);
}

OptimizerState Optimizer::make_state(const std::vector<Parameter>& parameters) const {
  std::vector<float> start;
  for (int s = 0; s < slots(); ++s) start.push_back(initial(s));
  return OptimizerState(parameters, start);
}

OptimizerState::OptimizerState(const std::vector<Parameter>& parameters, const std::vector<float>& initial)
    : first_{0} {
  for (const Parameter& p : parameters) first_.push_back(first_.back() + static_cast<size_t>(p.tensor->elements()));
  for (float value : initial) {
    Tensor& slab = slabs_.emplace_back(DType::f32, Shape{static_cast<int64_t>(first_.back())});
    std::fill_n(slab.data<float>().data(), first_.back(), value);
  }
}

}  // namespace graft
