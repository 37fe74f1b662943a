#include "finetune/cuda/training_kernels.h"

#include <algorithm>
#include <new>

#include "finetune/cuda/pieces.h"
#include "finetune/cuda/training_kernels.h"
#include "finetune/optimizers/rules/all.h"

namespace graft::cuda {
namespace {

/// A parameter, and the rule with what it needs of this step.
template <typename Rule>
struct Bound {
  float *weights, *a, *b, *c;
  const float* gradient;
  float decay, l1;
  Rule rule;
};

template <typename Rule>
struct UpdateOne {
  const Bound<Rule>* parameters;
  const int* enabled;
  GRAFT_DEVICE void operator()(int32_t parameter, int64_t at) const {
    if (enabled && !*enabled) return;
    const Bound<Rule>& p = parameters[parameter];
    rules::apply(p.rule, p.decay, p.l1, at, p.weights, p.gradient, p.a, p.b, p.c);
  }
};

template <typename Rule>
class Update final : public FusedOptimizer {
 public:
  Update(const Rule& rule, const std::vector<ParameterView>& parameters, const Launcher& launcher)
      : rule_(rule),
        parameters_(parameters),
        launcher_(launcher),
        bound_(parameters.size(), launcher.device()),
        pieces_(counts_of(parameters), launcher.device()) {}

  void prepare(float lr, int64_t step) override {
    rule_.prepare(step);
    for (size_t p = 0; p < parameters_.size(); ++p) {
      const ParameterView& from = parameters_[p];
      Rule rule = rule_;
      rule.lr = lr * from.lr_scale;
      rule.decay = from.weight_decay;
      rule.bind();
      new (bound_.host() + p) Bound<Rule>{from.weights,  from.slots[0], from.slots[1],
                                          from.slots[2], from.gradient, Rule::kCoupled ? from.weight_decay : 0.0f,
                                          from.l1,       rule};
    }
    bound_.upload();
  }
  void apply(const int* enabled) override { pieces_.each(launcher_, UpdateOne<Rule>{bound_.device(), enabled}); }

 private:
  Rule rule_;
  std::vector<ParameterView> parameters_;
  const Launcher& launcher_;
  Table<Bound<Rule>> bound_;
  Pieces pieces_;
};

/// Null for a rule that updates each element by itself.
MakeLayerOptimizer* layer_optimizer(const std::string& name) {
  if (name == rules::Lars::kText.name) return make_lars;
  if (name == rules::Lamb::kText.name) return make_lamb;
  if (name == rules::Adafactor::kText.name) return make_adafactor;
  return nullptr;
}

}  // namespace

bool has_fused_optimizer(const std::string& name) {
  bool known = layer_optimizer(name) != nullptr;
  for_each_type(rules::ElementRules{}, [&]<typename Rule>() { known = known || name == Rule::kText.name; });
  return known;
}

std::unique_ptr<FusedOptimizer> make_fused_optimizer(const Choice& optimizer,
                                                     const std::vector<ParameterView>& parameters,
                                                     const Launcher& launcher) {
  if (MakeLayerOptimizer* const make = layer_optimizer(optimizer.name))
    return make(optimizer.values, parameters, launcher);
  const auto use = [&](const auto& rule) -> std::unique_ptr<FusedOptimizer> {
    return std::make_unique<Update<std::decay_t<decltype(rule)>>>(rule, parameters, launcher);
  };
  std::unique_ptr<FusedOptimizer> made;
  for_each_type(rules::ElementRules{}, [&]<typename Rule>() {
    if (optimizer.name == Rule::kText.name) made = Rule::make(component_options<Rule>(optimizer.values), use);
  });
  if (!made) throw Error(optimizer.name + ": the device has no such update rule", {}, ErrorCode::unsupported);
  return made;
}

}  // namespace graft::cuda
