#include <algorithm>

#include "finetune/optimizers/fused.h"
#include "finetune/optimizers/optimizer.h"
#include "finetune/optimizers/rules/all.h"

namespace graft {
namespace {

const Components<OptimizerPtr>& optimizers() {
  static const Components<OptimizerPtr> table = [] {
    Components<OptimizerPtr> all("optimizer", "optimizer");
    for_each_type(rules::ElementRules{}, [&]<typename Rule>() {
      all.add<Rule>([](const typename Rule::Options& options) {
        return Rule::make(options, [](const auto& rule) { return fused(rule); });
      });
    });
    for_each_type(rules::TensorRules{}, [&]<typename Rule>() {
      all.add<Rule>([](const typename Rule::Options& options) { return Rule::make(options); });
    });
    return all;
  }();
  return table;
}

}  // namespace

OptimizerPtr make_optimizer(const Choice& optimizer) { return optimizers().make(optimizer); }

const std::vector<ComponentInfo>& optimizer_components() { return optimizers().infos(); }

std::vector<std::string> optimizer_names() { return optimizers().names(); }

void Optimizer::step(float lr, int64_t step, const std::vector<Parameter>& parameters, OptimizerState& state) {
  step_on(every(parameters), lr, step, parameters, state);
}

OptimizerState Optimizer::make_state(const std::vector<Parameter>& parameters) const {
  OptimizerState state;
  for (int s = 0; s < slots(); ++s) {
    std::vector<int64_t> counts;
    for (const Parameter& p : parameters) counts.push_back(slot_elements(s, p));
    state.add_slot(counts, initial(s));
  }
  return state;
}

void OptimizerState::add_slot(const std::vector<int64_t>& counts, float initial) {
  std::vector<size_t>& first = first_.emplace_back(1, size_t{0});
  for (const int64_t count : counts) first.push_back(first.back() + static_cast<size_t>(count));
  Tensor& slab = slabs_.emplace_back(DType::f32, Shape{static_cast<int64_t>(first.back())});
  std::fill_n(slab.data<float>().data(), first.back(), initial);
}

}  // namespace graft
