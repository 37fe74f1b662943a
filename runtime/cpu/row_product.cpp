#include "runtime/cpu/row_product.h"

#include "runtime/cpu/packed_product.h"
#include "runtime/cpu/packed_weights.h"

namespace graft::cpu {
namespace {

constexpr int64_t kFewestRows = 12;  // with fewer, packing what changes at each run is not made up for

class RowProduct final : public Kernel {
 public:
  RowProduct(const Gemm& op, const KernelRequest& request)
      : every_row_(PixelSampling::every_row(request.outputs[0].shape[0])),
        product_(request.outputs[0].shape[0], request.inputs[0].shape[1], request.outputs[0].shape[1]),
        weights_(request.inputs[1], product_.packed_elements(),
                 [product = product_, depth = request.inputs[0].shape[1], columns = request.outputs[0].shape[1],
                  transposed = op.transpose_b == Transpose2d::yes](const float* w, float* packed) {
                   product.pack(w, transposed ? 1 : columns, transposed ? depth : 1, packed);
                 }),
        has_bias_(request.inputs.size() > 2 && request.inputs[2].present),
        tail_(op.tail) {}
  size_t scratch_bytes() const override { return weights_.scratch_bytes() + product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const float* packed = weights_.get(a.inputs[1], a.scratch);
    const TileTail tail = tail_of(tail_, has_bias_, a);
    product_.run(static_cast<const float*>(a.inputs[0]), every_row_, packed, tail, static_cast<float*>(a.outputs[0]),
                 every_row_, true, static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes());
  }

 private:
  PixelSampling every_row_;
  PackedProduct product_;
  PackedWeights weights_;
  bool has_bias_;
  Epilogue tail_;
};

bool is_plain(const Operand& operand) { return operand.strides == plain_strides(operand.shape); }

}  // namespace

std::unique_ptr<Kernel> row_product(const Gemm& op, const KernelRequest& request) {
  const Operand &a = request.inputs[0], &b = request.inputs[1], &y = request.outputs[0];
  const bool has_bias = request.inputs.size() > 2 && request.inputs[2].present;
  if (op.transpose_a == Transpose2d::yes || op.alpha != 1 || (has_bias && op.beta != 1)) return nullptr;
  if (!is_plain(a) || !is_plain(b) || !is_plain(y)) return nullptr;
  const int64_t rows = a.shape[0], depth = a.shape[1], columns = y.shape[1];
  if (rows < kFewestRows || depth % 16 != 0 || columns % 16 != 0 || depth == 0 || columns == 0) return nullptr;
  // Not one row of the bias for all: a broadcast in the other direction.
  if (has_bias && (request.inputs[2].shape.elements() != columns || request.inputs[2].shape.back() != columns))
    return nullptr;
  return std::make_unique<RowProduct>(op, request);
}

}  // namespace graft::cpu
