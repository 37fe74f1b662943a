#pragma once

#include "finetune/optimizers/device_updates.h"
#include "runtime/cuda/launcher.h"

namespace graft::cuda {

/// A rule that looks at whole tensors before it moves them. Each announces itself, by an object of this type.
class LayerRuleEntry {
 public:
  using Make = std::unique_ptr<DeviceUpdate> (*)(const SettingValues& values,
                                                 const std::vector<DeviceParameter>& parameters,
                                                 const Launcher& launcher, const Device& device);
  LayerRuleEntry(const char* name, Make make);
  /// Null where no such rule is known.
  static Make find(const std::string& name);
};

/// Announces an update made as Update(Rule, parameters, launcher, memory).
template <typename Rule, typename Update>
LayerRuleEntry layer_rule() {
  return {Rule::kText.name,
          [](const SettingValues& values, const std::vector<DeviceParameter>& parameters, const Launcher& launcher,
             const Device& device) -> std::unique_ptr<DeviceUpdate> {
            return std::make_unique<Update>(Rule(component_options<Rule>(values)), parameters, launcher, device);
          }};
}

/// Of each parameter's elements.
inline std::vector<int64_t> counts_of(const std::vector<DeviceParameter>& parameters) {
  std::vector<int64_t> counts;
  for (const DeviceParameter& p : parameters) counts.push_back(p.count);
  return counts;
}

}  // namespace graft::cuda
