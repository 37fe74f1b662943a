#pragma once

#include "finetune/optimizers/device_updates.h"
#include "runtime/cuda/stream.h"

namespace graft::cuda {

/// Rules that look at the length of whole tensors before they move: lars, lamb.
bool knows_layer_rule(const std::string& name);
/// Null for others.
std::unique_ptr<DeviceUpdate> make_layer_update(const std::string& name, const OptimizerOptions& options,
                                                const std::vector<DeviceParameter>& parameters, const Stream& stream,
                                                const DeviceMemory& memory);

/// Of each parameter's elements.
inline std::vector<int64_t> counts_of(const std::vector<DeviceParameter>& parameters) {
  std::vector<int64_t> counts;
  for (const DeviceParameter& p : parameters) counts.push_back(p.count);
  return counts;
}

}  // namespace graft::cuda
