#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/core/device.h"
#include "runtime/core/operator.h"
#include "runtime/core/tensor.h"

namespace graft {

/// What arenas and kernels' scratch memory are aligned to, in bytes.
inline constexpr size_t kArenaAlignment = 64;

/// A value as a kernel meets it: logical shape, physical strides (same order), and its content when that is fixed.
struct Operand {
  DType dtype = DType::f32;
  Shape shape;
  Strides strides;
  bool present = true;  // false for an absent optional input
  /// Null unless the content is known when the plan is made. `mutable_constant` marks a trainable parameter: its
  /// address is fixed, its content changes between steps, and Kernel::refresh is called after each change.
  const Tensor* constant = nullptr;
  bool mutable_constant = false;
};

/// What operators' rules ask of operands.
inline std::vector<ValueType> types_of(std::span<const Operand> operands) {
  std::vector<ValueType> types;
  for (const Operand& o : operands) types.push_back({o.dtype, o.shape, o.constant});
  return types;
}

class Graph;

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
  /// False where run() does more than queue work on the device's compute stream, so that it cannot be captured.
  virtual bool can_be_captured() const { return true; }
};

/// Work of a device's compute stream that was captured once and is replayed as a whole.
class CapturedGraph {
 public:
  virtual ~CapturedGraph() = default;
  /// Queues all of it on the compute stream.
  virtual void replay() = 0;
};

class TrainingKernels;

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  /// The type in which activations lie: float, or the half type in which this backend computes (lower_precision).
  virtual DType activations() const { return DType::f32; }
  /// Which operands of an operator may be of that half type.
  virtual HalfOperands half_operands(const Operator& op) const { return op.half_operands(); }
  /// Whether a graph is computed in halves at all; where it is not, float kernels serve it.
  virtual bool computes_in_halves(const Graph&) const { return true; }
  /// Whether kernels that compute in halves can write float results, so that what leaves a graph is not rounded.
  virtual bool outputs_stay_float() const { return false; }
  /// Null where kernels work in the program's own memory.
  virtual const Device* device() const { return nullptr; }
  /// What a training runs on the device beside operators. Null where there is no device, or no such kernels for it.
  virtual const TrainingKernels* training_kernels() const { return nullptr; }
  /// Whether there are kernels for products of 8-bit integers (QuantisedProduct).
  virtual bool multiplies_bytes() const { return false; }
  /// Whether there are kernels for whole attentions (FusedAttention).
  virtual bool fuses_attention() const { return false; }
  /// What computes in the program's own memory: this backend, or the one beside it.
  virtual const Backend& host() const { return *this; }
  /// Whether output 0 of this operator may lie where this input, one of Operator::in_place_inputs, lay.
  virtual bool may_overwrite(const Operator& /*op*/, int /*input*/) const { return true; }
  /// Tells kernels that run from here on, those of captured graphs too, which step it is.
  virtual void begin(const StepContext&) const {}
  /// Captures what `work` queues on the compute stream instead of running it. `work` must not wait for the device. Null
  /// where nothing is gained by it.
  virtual std::unique_ptr<CapturedGraph> capture(const std::function<void()>& /*work*/) const { return nullptr; }
  /// Throws Error when it has no kernel for the operator or its dtypes.
  virtual std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const = 0;
  /// Sets the number of threads kernels made or run by the calling thread use (0: all cores).
  virtual void use_threads(int threads) const = 0;
};

}  // namespace graft
