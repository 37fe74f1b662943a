// Dense layers on bfloat16 rows.
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/dot_product.h"
#include "runtime/cpu/packed_weights.h"
#include "runtime/ops/gemm.h"

namespace graft::cpu::bf16 {
namespace {

constexpr int64_t kBytes = 2;

class DenseKernel final : public Kernel {
 public:
  DenseKernel(const Gemm& op, const KernelRequest& r)
      : product_(*bf16_tiles(), kBytes, r.outputs[0].shape[0], r.inputs[0].shape[1], r.outputs[0].shape[1]),
        weights_(r.inputs[1], static_cast<int64_t>(product_.packed_bytes() / sizeof(float)),
                 [product = product_, transposed = op.transpose_b == Transpose2d::yes](const float* w, float* packed) {
                   pack(product, transposed, w, packed);
                 }),
        has_bias_(r.inputs.size() > 2 && r.inputs[2].present),
        tail_(op.tail),
        type_(r.outputs[0].dtype) {}
  size_t scratch_bytes() const override { return weights_.scratch_bytes() + product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const auto* packed = reinterpret_cast<const std::byte*>(weights_.get(a.inputs[1], a.scratch));
    Bf16Tail tail;
    tail.bias = has_bias_ ? static_cast<const float*>(a.inputs[2]) : nullptr;
    tail.residual = tail_.residual ? static_cast<const std::byte*>(a.inputs[3]) : nullptr;
    tail.activation = tail_.activation;
    tail.type = type_;
    product_.run([&](IndexRange rows, std::byte* room,
                     int64_t pitch) { return product_.plain_rows(a.inputs[0], rows, room, pitch); },
                 packed, tail, a.outputs[0], static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes());
  }

 private:
  static void pack(const PackedDotProduct<Bf16Tail>& product, bool transposed, const float* w, float* packed) {
    const int64_t depth = product.depth(), columns = product.columns();
    product.pack(
        [&](int64_t n, std::byte* to) {
          auto* const numbers = reinterpret_cast<uint16_t*>(to);
          if (transposed) {
            bf16_loops()->narrow(depth, w + n * depth, numbers);
          } else {
            for (int64_t k = 0; k < depth; ++k) bf16_loops()->narrow(1, w + k * columns + n, numbers + k);
          }
          if (depth % 2 != 0) numbers[depth] = 0;
        },
        reinterpret_cast<std::byte*>(packed));
  }

  PackedDotProduct<Bf16Tail> product_;
  PackedWeights weights_;
  bool has_bias_;
  Epilogue tail_;
  DType type_;
};

bool is_plain(const Operand& operand) { return operand.strides == plain_strides(operand.shape); }

std::unique_ptr<Kernel> dense(const Gemm& op, const KernelRequest& r) {
  const Operand &a = r.inputs[0], &b = r.inputs[1], &y = r.outputs[0];
  const bool has_bias = r.inputs.size() > 2 && r.inputs[2].present;
  const bool types = a.dtype == DType::bf16 && b.dtype == DType::f32 &&
                     (!op.tail.residual || r.inputs[3].dtype == y.dtype) &&
                     (!has_bias || r.inputs[2].dtype == DType::f32);
  if (!types || op.transpose_a == Transpose2d::yes || op.alpha != 1 || (has_bias && op.beta != 1)) return nullptr;
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
