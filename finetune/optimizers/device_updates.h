#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "finetune/optimizers/optimizer.h"
#include "runtime/core/backend.h"

namespace graft {

/// Where a device keeps one parameter and what belongs to it. Not owned.
struct DeviceParameter {
  float* weights = nullptr;
  const float* gradient = nullptr;
  std::array<float*, 3> slots{};
  int64_t count = 0;
  float lr_scale = 1, weight_decay = 0, l1 = 0;
  int64_t rows = 0;  // of a matrix, its first dimension; 0: a vector
};

/// An update rule on a device: all parameters in one kernel.
class DeviceUpdate {
 public:
  virtual ~DeviceUpdate() = default;
  /// Sends over what sets this update apart from others. `step` counts from 1. Between two calls something must have
  /// been synchronised with, so that what the first uploaded has arrived.
  virtual void prepare(float lr, int64_t step) = 0;
  /// Queues the update; as part of a recording, that of whatever is prepared when it runs. Where `go` is given and the
  /// device finds 0 there, nothing changes.
  virtual void apply(const int* go = nullptr) = 0;
};

/// The extension "update rules" of a backend.
class DeviceUpdates : public BackendExtension {
 public:
  static constexpr const char* kName = "update rules";
  virtual bool knows(const std::string& name) const = 0;
  /// For a rule that it knows. The results are those of make_optimizer's rule, up to the order of roundings.
  virtual std::unique_ptr<DeviceUpdate> make(const Choice& optimizer,
                                             const std::vector<DeviceParameter>& parameters) const = 0;
};

}  // namespace graft
