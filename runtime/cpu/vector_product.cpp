#include "runtime/cpu/vector_product.h"

#include <algorithm>
#include <array>

#include "runtime/core/parallel.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {
namespace {

constexpr int64_t kFewestWeights = int64_t{1} << 18;  // below this they stay in a cache, packed or not

class VectorProduct final : public Kernel {
 public:
  VectorProduct(const Gemm& op, const KernelRequest& request)
      : op_(op),
        depth_(request.inputs[0].shape[1]),
        columns_(request.outputs[0].shape[1]),
        has_bias_(request.inputs.size() > 2 && request.inputs[2].present) {}

  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    const auto* w = static_cast<const float*>(a.inputs[1]);
    const auto* bias = has_bias_ ? static_cast<const float*>(a.inputs[2]) : nullptr;
    const auto* residual = op_.tail.residual ? static_cast<const float*>(a.inputs[3]) : nullptr;
    auto* y = static_cast<float*>(a.outputs[0]);
    constexpr int64_t kRows = VectorLoops::kDotRows;
    parallel_for((columns_ + kRows - 1) / kRows, 1, [&](int64_t first, int64_t last) {
      for (int64_t n = first * kRows; n < std::min(columns_, last * kRows); n += kRows) {
        const int64_t rows = std::min(kRows, columns_ - n);
        std::array<float, kRows> sums;
        vector_loops().dot_rows(depth_, x, w + n * depth_, depth_, rows, sums.data());
        for (int64_t i = 0; i < rows; ++i) {
          float sum = op_.alpha * sums[static_cast<size_t>(i)];
          if (bias) sum += op_.beta * bias[n + i];
          if (residual) sum += residual[n + i];
          sums[static_cast<size_t>(i)] = sum;
        }
        vector_loops().activate(rows, sums.data(), op_.tail.activation, y + n);
      }
    });
  }

 private:
  Gemm op_;
  int64_t depth_, columns_;
  bool has_bias_;
};

}  // namespace

std::unique_ptr<Kernel> vector_product(const Gemm& op, const KernelRequest& request) {
  const Operand &a = request.inputs[0], &b = request.inputs[1], &y = request.outputs[0];
  const bool one_row = a.shape[0] == 1 && op.transpose_a == Transpose2d::no && a.strides[1] == 1 && y.strides[1] == 1;
  const bool rows_lie_whole = op.transpose_b == Transpose2d::yes && b.strides[1] == 1 && b.strides[0] == b.shape[1];
  const bool has_bias = request.inputs.size() > 2 && request.inputs[2].present;
  const bool plain_bias = !has_bias || request.inputs[2].shape.elements() == y.shape[1];
  if (!one_row || !rows_lie_whole || !plain_bias || b.shape.elements() < kFewestWeights) return nullptr;
  return std::make_unique<VectorProduct>(op, request);
}

}  // namespace graft::cpu
