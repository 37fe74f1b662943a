#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "runtime/core/backend.h"
#include "runtime/core/kernel_table.h"
#include "runtime/cuda/library.h"
#include "runtime/cuda/stream.h"

namespace graft::cuda {

/// Adds an extension to every device backend that is made from now on. One object of this type a kind of extension, at
/// namespace scope.
struct ExtensionEntry {
  using Make = std::unique_ptr<BackendExtension> (*)(const Stream& stream, const DeviceMemory& memory);
  ExtensionEntry(const char* name, Make make);
};

/// A backend whose kernels run on a Stream: those of kernels/, what a derived backend adds from libraries, and the
/// processor's for the rest.
class DeviceBackend : public Backend {
 public:
  /// `memory` must hold what kernels that go this way can read. `library`: null where there is none; the processor
  /// takes its place. `host` outlives this object. `activations`: float or a half type.
  DeviceBackend(std::unique_ptr<const DeviceMemory> memory, std::unique_ptr<const Library> library, Stream::Way way,
                int multiprocessors, DType activations, const Backend& host);
  ~DeviceBackend() override;
  DeviceBackend(const DeviceBackend&) = delete;
  DeviceBackend& operator=(const DeviceBackend&) = delete;

  const DeviceMemory* memory() const override { return memory_.get(); }
  const Backend& host() const override { return host_; }
  DType activations() const override { return activations_; }
  const BackendExtension* extension(std::string_view name) const override;
  void begin(const StepContext& step) const override;
  void use_threads(int threads) const override { host_.use_threads(threads); }
  bool may_overwrite(const Operator& op, int input) const override;
  std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const override;

 private:
  std::unique_ptr<const DeviceMemory> memory_;
  std::unique_ptr<const Library> library_;
  DType activations_;
  const Backend& host_;
  StepContext* device_step_;
  Stream stream_;
  KernelTable table_;
  std::map<std::string, std::unique_ptr<BackendExtension>, std::less<>> extensions_;
};

/// The device's kernels run by the calling thread, on memory that is kept apart from the program's: what can be tested
/// of a GPU's work without one. Lives as long as the program.
const Backend& emulated_backend(const Backend& host, DType activations = DType::f32);

}  // namespace graft::cuda
