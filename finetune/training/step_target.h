#pragma once

#include "finetune/optimizers/optimizer.h"
#include "finetune/training/host_kernels.h"
#include "finetune/training/train_options.h"
#include "runtime/core/device.h"
#include "runtime/plan/plan.h"

namespace graft {

/// Where a part of a training step is computed: on the plan's device, or in the program's memory by the processor.
struct StepTarget {
  const TrainingKernels& kernels;
  const Device& device;
  /// Where the kernels find an output or input of the plan. What is found on the plan's own device is no longer
  /// transferred.
  float* output(Plan& plan, size_t i) const;
  float* input(Plan& plan, size_t i) const;
};

struct StepTargets {
  StepTarget loss, update, statistics;
};

/// The plan's own device for all that its kernels know, `host` for the rest: there results of the plan are downloaded,
/// and what follows from them uploaded. The one place that decides it. The backend and `host` outlive the result.
StepTargets choose_targets(const Backend& backend, const HostKernels& host, const Optimizer& optimizer,
                           const TrainOptions& options);

/// Numbers of the program as a device's kernels see them: a copy, or where it shares the program's memory the numbers
/// themselves, which then need no copying.
class Mirror {
 public:
  /// `host` stays where it is as long as this object, and `device` outlives it.
  Mirror(const Device& device, std::span<float> host)
      : device_(device),
        host_(host),
        copy_(device.shares_host_memory() ? DeviceBuffer() : DeviceBuffer(device, host.size_bytes())) {}
  float* data() const { return copy_ ? copy_.as<float>() : host_.data(); }
  /// Queued on the compute stream.
  void upload() const { device_.upload(data(), host_.data(), host_.size_bytes()); }
  void download() const { device_.download(host_.data(), data(), host_.size_bytes()); }

 private:
  const Device& device_;
  std::span<float> host_;
  DeviceBuffer copy_;
};

}  // namespace graft
