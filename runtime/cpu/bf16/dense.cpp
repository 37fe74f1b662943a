// Dense layers on bfloat16 rows.
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/bf16/pixel_product.h"
#include "runtime/cpu/bf16/rounded_product.h"
#include "runtime/ops/gemm.h"

namespace graft::cpu::bf16 {
namespace {

auto outputs_first(const Gemm& op, int64_t depth, int64_t columns) {
  return [=, is_so = op.transpose_b == Transpose2d::yes](const float* w, int64_t n, float* buffer) {
    if (is_so) return w + n * depth;
    for (int64_t k = 0; k < depth; ++k) buffer[k] = w[k * columns + n];
    return static_cast<const float*>(buffer);
  };
}

class DenseKernel final : public Kernel {
 public:
  DenseKernel(const Gemm& op, const KernelRequest& r)
      : product_(r.outputs[0].shape[0], r.inputs[0].shape[1], r.outputs[0].shape[1], r.inputs[1],
                 RoundedProduct::by_lines(outputs_first(op, r.inputs[0].shape[1], r.outputs[0].shape[1]))),
        tail_(op.tail, r) {}
  size_t scratch_bytes() const override { return product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    product_.run([&](IndexRange rows, std::byte* buffer,
                     int64_t pitch) { return product_.product().plain_rows(a.inputs[0], rows, buffer, pitch); },
                 a.inputs[1], tail_.of(a), a.outputs[0], a.scratch);
  }

 private:
  RoundedProduct product_;
  LayerTail tail_;
};

/// Aᵀ·B of row-major matrices, in float32: the gradient of a layer's weights from its rows and those of dL/dy.
class DenseWeightGradient final : public Kernel {
 public:
  explicit DenseWeightGradient(const KernelRequest& r)
      : columns_(r.inputs[1].shape[1]), product_(r.inputs[0].shape[1], columns_, r.inputs[0].shape[0], 0) {}
  size_t scratch_bytes() const override { return product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const auto* b = static_cast<const uint16_t*>(a.inputs[1]);
    product_.run(
        static_cast<const uint16_t*>(a.inputs[0]),
        [&](std::byte*) {
          return Rows{b, columns_};
        },
        static_cast<float*>(a.outputs[0]), a.scratch);
  }

 private:
  struct Rows {
    const uint16_t* b;
    int64_t columns, row = 0, column = 0;
    void begin(IndexRange rows) { row = rows.first; }
    void panel(int64_t first) { column = first; }
    const uint16_t* at(int64_t i) const { return b + (row + i) * columns + column; }
  };
  int64_t columns_;
  PixelProduct product_;
};

bool is_plain(const Operand& operand) { return operand.strides == plain_strides(operand.shape); }

std::unique_ptr<Kernel> weight_gradient(const Gemm& op, const KernelRequest& r) {
  const Operand &a = r.inputs[0], &b = r.inputs[1], &y = r.outputs[0];
  const bool types = a.dtype == DType::bf16 && b.dtype == DType::bf16 && y.dtype == DType::f32;
  if (!types || r.inputs.size() > 2 || op.transpose_b == Transpose2d::yes || op.alpha != 1 || !op.tail.empty())
    return nullptr;
  if (!is_plain(a) || !is_plain(b) || !is_plain(y) || y.shape.elements() == 0 || a.shape[0] == 0) return nullptr;
  return std::make_unique<DenseWeightGradient>(r);
}

std::unique_ptr<Kernel> dense(const Gemm& op, const KernelRequest& r) {
  if (op.transpose_a == Transpose2d::yes) return weight_gradient(op, r);
  const Operand &a = r.inputs[0], &b = r.inputs[1], &y = r.outputs[0];
  const bool has_bias = r.inputs.size() > 2 && r.inputs[2].present;
  const bool types = a.dtype == DType::bf16 && b.dtype == DType::f32 &&
                     (!op.tail.residual || r.inputs[3].dtype == y.dtype) &&
                     (!has_bias || r.inputs[2].dtype == DType::f32);
  if (!types || op.alpha != 1 || (has_bias && op.beta != 1)) return nullptr;
  if (!is_plain(a) || !is_plain(b) || !is_plain(y) || y.shape.elements() == 0 || a.shape[1] == 0) return nullptr;
  // Not one row of the bias for all: a broadcast in the other direction.
  if (has_bias && (r.inputs[2].shape.rank() == 0 || r.inputs[2].shape.elements() != y.shape[1] ||
                   r.inputs[2].shape.back() != y.shape[1]))
    return nullptr;
  return std::make_unique<DenseKernel>(op, r);
}

}  // namespace

void register_dense(KernelTable& table) { table.add<Gemm>(dense); }

}  // namespace graft::cpu::bf16
