#include "runtime/cpu/vector_product.h"

#include <algorithm>
#include <array>

#include "runtime/core/parallel.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {
namespace {

constexpr int64_t kFewestWeights = int64_t{1} << 18;  // below this they stay in a cache, packed or not

// oneDNN's products without packing work on blocks of about this many results, and divide sums of more than twice its
// depth where there are fewer blocks than threads.
constexpr int64_t kBlock = 48, kBlockDepth = 384, kFewestBlocks = 8;
constexpr int64_t kDepthPiece = 512;

class VectorProduct final : public Kernel {
 public:
  VectorProduct(const Gemm& op, const KernelRequest& request)
      : op_(op),
        rows_(request.outputs[0].shape[0]),
        depth_(request.inputs[0].shape[1]),
        columns_(request.outputs[0].shape[1]),
        x_row_(request.inputs[0].strides[0]),
        has_bias_(request.inputs.size() > 2 && request.inputs[2].present) {}

  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    const auto* w = static_cast<const float*>(a.inputs[1]);
    const auto* bias = has_bias_ ? static_cast<const float*>(a.inputs[2]) : nullptr;
    const auto* residual = op_.tail.residual ? static_cast<const float*>(a.inputs[3]) : nullptr;
    auto* y = static_cast<float*>(a.outputs[0]);
    // All rows of x meet the same rows of weights while those lie in a cache.
    parallel_for((columns_ + kSums - 1) / kSums * rows_, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last;) {
        const int64_t row = i % rows_, n = i / rows_ * kSums, count = std::min(kSums, columns_ - n),
                      rows = std::min({kRows, rows_ - row, last - i});
        Sums sums = products(x + row * x_row_, w + n * depth_, rows, count);
        for (int64_t r = 0; r < rows; ++r) {
          auto& of_row = sums[static_cast<size_t>(r)];
          const int64_t at = (row + r) * columns_ + n;
          for (int64_t k = 0; k < count; ++k) {
            float sum = op_.alpha * of_row[static_cast<size_t>(k)];
            if (bias) sum += op_.beta * bias[n + k];
            if (residual) sum += residual[at + k];
            of_row[static_cast<size_t>(k)] = sum;
          }
          vector_loops().activate(count, of_row.data(), op_.tail.activation, y + at);
        }
        i += rows;
      }
    });
  }

 private:
  static constexpr int64_t kSums = VectorLoops::kDotRows, kRows = 16;
  using Sums = std::array<std::array<float, kSums>, kRows>;

  /// Of `rows` rows of x and `count` rows of w. Where x has several, a piece of w after the other, which stays in the
  /// first cache; the pieces do not depend on which rows a thread has, so sums do not either.
  Sums products(const float* x, const float* w, int64_t rows, int64_t count) const {
    Sums sums{};
    const int64_t piece = rows_ > 1 ? kDepthPiece : depth_;
    for (int64_t from = 0; from < depth_; from += piece) {
      for (int64_t r = 0; r < rows; ++r) {
        std::array<float, kSums> part;
        vector_loops().dot_rows(std::min(piece, depth_ - from), x + r * x_row_ + from, w + from, depth_, count,
                                part.data());
        for (int64_t k = 0; k < count; ++k)
          sums[static_cast<size_t>(r)][static_cast<size_t>(k)] += part[static_cast<size_t>(k)];
      }
    }
    return sums;
  }

  Gemm op_;
  int64_t rows_, depth_, columns_, x_row_;
  bool has_bias_;
};

}  // namespace

bool has_few_long_sums(int64_t rows, int64_t depth, int64_t columns) {
  const auto blocks = [](int64_t extent) { return (extent + kBlock - 1) / kBlock; };
  return depth > 2 * kBlockDepth && blocks(rows) * blocks(columns) < kFewestBlocks;
}

std::unique_ptr<Kernel> vector_product(const Gemm& op, const KernelRequest& request) {
  const Operand &a = request.inputs[0], &b = request.inputs[1], &y = request.outputs[0];
  const bool rows_lie_whole = op.transpose_a == Transpose2d::no && a.strides[1] == 1 &&
                              op.transpose_b == Transpose2d::yes && b.strides[1] == 1 && b.strides[0] == b.shape[1] &&
                              y.strides[1] == 1 && (y.shape[0] == 1 || y.strides[0] == y.shape[1]);
  const bool has_bias = request.inputs.size() > 2 && request.inputs[2].present;
  const bool plain_bias =
      !has_bias || (request.inputs[2].shape.elements() == y.shape[1] && request.inputs[2].shape.back() == y.shape[1]);
  const bool gains = (y.shape[0] == 1 && b.shape.elements() >= kFewestWeights) ||
                     has_few_long_sums(y.shape[0], a.shape[1], y.shape[1]);
  if (!rows_lie_whole || !plain_bias || !gains) return nullptr;
  return std::make_unique<VectorProduct>(op, request);
}

}  // namespace graft::cpu
