#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "runtime/operator.h"
#include "runtime/tensor.h"

namespace graft {

/// A value as a kernel meets it: logical shape, physical strides (same order), and its content when that is fixed.
struct Operand {
  DType dtype = DType::f32;
  Shape shape;
  Strides strides;
  bool present = true;    // false for an absent optional input
  /// Null unless the content is known when the plan is made. `mutable_constant` marks a trainable parameter: its address is
  /// fixed, its content changes between steps, and Kernel::refresh is called after each change.
  const Tensor* constant = nullptr;
  bool mutable_constant = false;
};

/// Everything a backend may use to choose a kernel.
struct KernelRequest {
  const Operator& op;
  std::span<const Operand> inputs;
  std::span<const Operand> outputs;
  /// Input whose memory output 0 takes over, or -1.
  int in_place_input = -1;
};

/// Numbers that change from one step to the next.
struct StepContext {
  uint64_t seed = 0;
  uint64_t step = 0;
};

struct KernelArguments {
  std::span<const void* const> inputs;
  std::span<void* const> outputs;
  void* scratch = nullptr;
  StepContext step;
};

/// Made once with everything known, then only run. Must not allocate in run().
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual size_t scratch_bytes() const { return 0; }
  /// Repacks whatever was derived from trainable parameters.
  virtual void refresh() {}
  virtual void run(const KernelArguments& arguments) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  /// Throws Error when it has no kernel for the operator or its dtypes.
  virtual std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const = 0;
  /// Sets the number of threads kernels made or run by the calling thread use (0: all cores).
  virtual void use_threads(int threads) const = 0;
};

/// The processor, through oneDNN and graft's own kernels. Lives as long as the program.
const Backend& cpu_backend();

}  // namespace graft
