#pragma once

#include <memory>

#include "runtime/core/backend.h"
#include "runtime/core/kernel_table.h"
#include "runtime/core/training_kernels.h"
#include "runtime/cuda/launcher.h"
#include "runtime/cuda/library.h"

namespace graft::cuda {

/// Gives training kernels to every device backend that is made from now on. One object at namespace scope, in the
/// library above the runtime that has them.
struct TrainingKernelsEntry {
  using Make = std::unique_ptr<const TrainingKernels> (*)(const Launcher& launcher);
  explicit TrainingKernelsEntry(Make make);
};

/// What a device backend is made of.
struct DeviceParts {
  std::unique_ptr<const Device> device;
  Launcher::Target target;  // its compute stream
  int multiprocessors = 1;
  std::unique_ptr<const Library> library;  // null: the processor computes in its place
};

/// A backend whose kernels a Launcher starts: those of kernels/, what a library computes, and the processor's for the
/// rest.
class DeviceBackend : public Backend {
 public:
  /// `host` outlives this object. `activations`: float or a half type.
  DeviceBackend(DeviceParts parts, DType activations, const Backend& host);
  DeviceBackend(const DeviceBackend&) = delete;
  DeviceBackend& operator=(const DeviceBackend&) = delete;

  const Device* device() const override { return device_.get(); }
  const Backend& host() const override { return host_; }
  DType activations() const override { return activations_; }
  const TrainingKernels* training_kernels() const override { return training_kernels_.get(); }
  void begin(const StepContext& step) const override;
  void use_threads(int threads) const override { host_.use_threads(threads); }
  bool may_overwrite(const Operator& op, int input) const override;
  std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const override;

 private:
  std::unique_ptr<const Device> device_;
  std::unique_ptr<const Library> library_;
  DType activations_;
  const Backend& host_;
  DeviceBuffer step_;  // StepContext
  Launcher launcher_;
  KernelTable table_;
  std::unique_ptr<const TrainingKernels> training_kernels_;
};

class EmulatedDevice;

/// The device's kernels run by the calling thread, on memory that is kept apart from the program's: what can be tested
/// of a GPU's work without one. `host` outlives the result.
std::unique_ptr<const Backend> make_emulated_backend(std::unique_ptr<const EmulatedDevice> device, const Backend& host,
                                                     DType activations = DType::f32);
/// One of each kind, on a device whose kernels run as soon as they are queued. Lives as long as the program.
const Backend& emulated_backend(const Backend& host, DType activations = DType::f32);

}  // namespace graft::cuda
