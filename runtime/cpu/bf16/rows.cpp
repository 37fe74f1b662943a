// Layer norms' gradients and sums of rows of bfloat16 numbers, which become floats in the first cache.
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/row_norm_gradient.h"
#include "runtime/cpu/row_sums.h"
#include "runtime/cpu/vector/bf16_kernels.h"

namespace graft::cpu::bf16 {
namespace {

/// See Float32Rows.
struct WidenedRows {
  using Number = uint16_t;
  static const float* read(int64_t n, const uint16_t* row, float* buffer) {
    bf16_kernels()->loops.widen(n, row, buffer);
    return buffer;
  }
  static float* target(uint16_t* /*row*/, float* buffer) { return buffer; }
  static void write(int64_t n, const float* buffer, uint16_t* row) { bf16_kernels()->loops.narrow(n, buffer, row); }
  static void add(int64_t n, const uint16_t* row, float* sums) { bf16_kernels()->loops.add_scaled(n, row, 1, sums); }
};

std::unique_ptr<Kernel> make_sum(const SumTo& op, const KernelRequest& r) {
  if (r.inputs[0].dtype != DType::bf16 || r.outputs[0].dtype != DType::bf16) return nullptr;
  return RowSums<WidenedRows>::make(op, r);
}

std::unique_ptr<Kernel> make_norm_gradient(const NormaliseGradient& op, const KernelRequest& r) {
  const bool halves =
      r.inputs[0].dtype == DType::bf16 && r.inputs[1].dtype == DType::bf16 && r.outputs[0].dtype == DType::bf16;
  const bool floats =
      r.inputs[2].dtype == DType::f32 && r.outputs[1].dtype == DType::f32 && r.outputs[2].dtype == DType::f32;
  return halves && floats ? RowNormGradient<WidenedRows>::make(op, r) : nullptr;
}

}  // namespace

void register_rows(KernelTable& table) {
  table.add<SumTo>(make_sum);
  table.add<NormaliseGradient>(make_norm_gradient);
}

}  // namespace graft::cpu::bf16
