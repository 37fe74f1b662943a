#include "finetune/optimizers/device_updates.h"

#include <algorithm>
#include <new>

#include "finetune/cuda/layer_updates.h"
#include "finetune/cuda/pieces.h"
#include "finetune/optimizers/rules/all.h"
#include "runtime/cuda/device_backend.h"

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
  const int* go;
  GRAFT_DEVICE void operator()(int32_t parameter, int64_t at) const {
    if (go && !*go) return;
    const Bound<Rule>& p = parameters[parameter];
    rules::apply(p.rule, p.decay, p.l1, at, p.weights, p.gradient, p.a, p.b, p.c);
  }
};

template <typename Rule>
class Update final : public DeviceUpdate {
 public:
  Update(const Rule& rule, const std::vector<DeviceParameter>& parameters, const Launcher& launcher,
         const Device& device)
      : rule_(rule),
        parameters_(parameters),
        launcher_(launcher),
        bound_(parameters.size(), device),
        pieces_(counts_of(parameters), device) {}

  void prepare(float lr, int64_t step) override {
    rule_.prepare(step);
    for (size_t p = 0; p < parameters_.size(); ++p) {
      const DeviceParameter& from = parameters_[p];
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
  void apply(const int* go) override { pieces_.each(launcher_, UpdateOne<Rule>{bound_.device(), go}); }

 private:
  Rule rule_;
  std::vector<DeviceParameter> parameters_;
  const Launcher& launcher_;
  Table<Bound<Rule>> bound_;
  Pieces pieces_;
};

class Updates final : public DeviceUpdates {
 public:
  Updates(const Launcher& launcher, const Device& device) : launcher_(launcher), device_(device) {}
  bool knows(const std::string& name) const override {
    bool known = LayerRuleEntry::find(name) != nullptr;
    for_each_type(rules::ElementRules{}, [&]<typename Rule>() { known = known || name == Rule::kText.name; });
    return known;
  }
  std::unique_ptr<DeviceUpdate> make(const Choice& optimizer,
                                     const std::vector<DeviceParameter>& parameters) const override {
    const auto use = [&](const auto& rule) -> std::unique_ptr<DeviceUpdate> {
      return std::make_unique<Update<std::decay_t<decltype(rule)>>>(rule, parameters, launcher_, device_);
    };
    if (const auto make = LayerRuleEntry::find(optimizer.name))
      return make(optimizer.values, parameters, launcher_, device_);
    std::unique_ptr<DeviceUpdate> made;
    for_each_type(rules::ElementRules{}, [&]<typename Rule>() {
      if (optimizer.name == Rule::kText.name) made = Rule::make(component_options<Rule>(optimizer.values), use);
    });
    return made;
  }

 private:
  const Launcher& launcher_;
  const Device& device_;
};

const ExtensionEntry kUpdates(DeviceUpdates::kName,
                              [](const Launcher& launcher, const Device& device) -> std::unique_ptr<BackendExtension> {
                                return std::make_unique<Updates>(launcher, device);
                              });

}  // namespace
}  // namespace graft::cuda
