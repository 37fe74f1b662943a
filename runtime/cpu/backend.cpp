#include "runtime/core/backend.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/graph.h"
#include "runtime/core/thread_pool.h"
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/bf16/through_float.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/vector/bf16_kernels.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"

namespace graft {
namespace {

class CpuBackend final : public Backend {
 public:
  CpuBackend() {
#define GRAFT_REGISTER(name) cpu::register_##name(table_);
    GRAFT_KERNEL_FILES(GRAFT_REGISTER)
#undef GRAFT_REGISTER
  }
  std::string_view name() const override { return "cpu"; }
  bool multiplies_bytes() const override { return cpu::int8_tiles() != nullptr; }
  bool fuses_attention() const override { return true; }
  void use_threads(int threads) const override { set_thread_count(threads); }
  std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const override {
    const auto* factory = table_.find(request.op);
    if (!factory)
      throw Error("operator " + std::string(request.op.type()) + " has no kernel on the processor", {},
                  ErrorCode::unsupported);
    return (*factory)(request);
  }

 private:
  KernelTable table_;
};

/// Activations in bfloat16, sums, weights, biases and what leaves the graph in float32.
class Bf16Backend final : public Backend {
 public:
  Bf16Backend() {
#define GRAFT_REGISTER(name) cpu::bf16::register_##name(table_);
    GRAFT_BF16_KERNEL_FILES(GRAFT_REGISTER)
#undef GRAFT_REGISTER
  }
  std::string_view name() const override { return "cpu"; }
  DType activations() const override { return DType::bf16; }
  bool outputs_stay_float() const override { return true; }
  bool multiplies_bytes() const override { return cpu_backend().multiplies_bytes(); }
  bool fuses_attention() const override { return cpu_backend().fuses_attention(); }
  /// Not heads on features: what they multiply is little, and scores are better for being exact.
  bool computes_in_halves(const Graph& graph) const override {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                       [](const Node& node) { return dynamic_cast<const Convolution*>(node.op.get()) != nullptr; });
  }
  HalfOperands half_operands(const Operator& op) const override {
    // Weights are rounded where they are packed, and attention multiplies what softmax has just made, in float32.
    if (dynamic_cast<const MatMul*>(&op)) return {};
    HalfOperands halves = op.half_operands();
    if (dynamic_cast<const Convolution*>(&op) || dynamic_cast<const Gemm*>(&op))  // behind the weights their tail
      halves.inputs = op.output_is_weight_like() ? OperandSet::only({0, 1}) : OperandSet::only({0, 3});
    if (op.output_is_weight_like()) halves.outputs = OperandSet::none();  // gradients of weights
    if (const auto* gradient = dynamic_cast<const ConvolutionBackwardData*>(&op)) {
      const size_t mean = gradient->tail.residual ? 5 : 4;  // behind a norm's x and u
      halves.inputs = gradient->norm ? OperandSet::all_but({1, mean, mean + 1}) : OperandSet::all_but({1});
    }
    return halves;
  }
  void use_threads(int threads) const override { cpu_backend().use_threads(threads); }
  std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const override {
    if (!cpu::bf16::has_bf16(request)) return cpu_backend().make_kernel(request);
    if (const auto* factory = table_.find(request.op))
      if (auto kernel = (*factory)(request)) return kernel;
    return cpu::bf16::through_float(request, cpu_backend());
  }

 private:
  KernelTable table_;
};

}  // namespace

const Backend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

const Backend* bf16_cpu_backend() {
  if (!cpu::bf16_kernels()) return nullptr;
  static const Bf16Backend backend;
  return &backend;
}

}  // namespace graft
