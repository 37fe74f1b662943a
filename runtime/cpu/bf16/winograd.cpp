#include "runtime/cpu/bf16/winograd.h"

#include <algorithm>
#include <vector>

#include "runtime/core/parallel.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/convolution/winograd_tiles.h"
#include "runtime/cpu/packed_weights.h"
#include "runtime/cpu/vector/bf16_kernels.h"

namespace graft::cpu::bf16 {
namespace {

constexpr int64_t kPositions = Bf16Winograd::kPositions, kVector = 16;
constexpr int64_t kPadding = 32;  // numbers between rows of a block, so that they do not fall on one cache set
constexpr int64_t kBlockBytes = 768 * 1024;
constexpr int64_t kFewestTiles = 48;  // with fewer, reading the transformed filters takes what is saved

/// U = G·g·Gᵀ of one filter of 3×3 taps.
void transformed(const float* g, float* u) {
  float middle[4][3];
  const auto line = [](float a, float b, float c, float* to, int64_t step) {
    to[0] = a;
    to[step] = 0.5f * (a + b + c);
    to[2 * step] = 0.5f * (a - b + c);
    to[3 * step] = c;
  };
  for (int64_t j = 0; j < 3; ++j) line(g[j], g[3 + j], g[6 + j], &middle[0][j], 3);
  for (int64_t i = 0; i < 4; ++i) line(middle[i][0], middle[i][1], middle[i][2], u + 4 * i, 1);
}

/// A convolution, or the gradient of its input, which is one with the filters turned round and their inputs and outputs
/// exchanged.
class WinogradKernel final : public Kernel {
 public:
  struct Form {
    int64_t top, left;  // padding
    bool turned;
    size_t residual;  // input
    Epilogue tail;
    bool has_bias;
  };
  WinogradKernel(const Form& form, const KernelRequest& r)
      : form_(form),
        tiles_(r.inputs[0].shape, r.outputs[0].shape, form.top, form.left, 2),
        in_(r.inputs[0].shape[1]),
        out_(r.outputs[0].shape[1]),
        threads_(thread_count()),
        position_bytes_(DotShape::panels(out_) * in_ / 2 * 4 * DotShape::kColumns),
        block_(std::clamp(kBlockBytes / tile_bytes() / DotShape::kRows, int64_t{2}, int64_t{8}) * DotShape::kRows),
        weights_(r.inputs[1], kPositions * position_bytes_ / static_cast<int64_t>(sizeof(float)),
                 [this](const float* w, float* packed) { pack(w, reinterpret_cast<std::byte*>(packed)); }),
        zeros_(static_cast<size_t>(in_), 0) {}
  size_t scratch_bytes() const override {
    return weights_.scratch_bytes() + static_cast<size_t>(threads_ * block_bytes());
  }
  void run(const KernelArguments& a) override {
    const auto* packed = reinterpret_cast<const std::byte*>(weights_.get(a.inputs[1], a.scratch));
    std::byte* const blocks = static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes();
    const int64_t parts = parts_of(tiles_.count(), block_, threads_);
    parallel_parts(parts, threads_, [&](int64_t part, int64_t slot) {
      const int64_t begin = tiles_.count() * part / parts, end = tiles_.count() * (part + 1) / parts;
      for (int64_t first = begin; first < end; first += block_)
        run_block(first, std::min(block_, end - first), packed, a, blocks + slot * block_bytes());
    });
  }

 private:
  int64_t v_row() const { return in_ + kPadding; }
  int64_t m_row() const { return out_ + kPadding; }
  /// Of a tile's transformed inputs and its products.
  int64_t tile_bytes() const { return kPositions * (v_row() * 2 + m_row() * 4); }
  /// Elements from one position to the next, an odd number of lines, so that all positions' lines fall on other sets.
  int64_t v_position() const { return odd_lines(block_ * v_row(), 2); }
  int64_t m_position() const { return odd_lines(block_ * m_row(), 4); }
  static int64_t odd_lines(int64_t elements, int64_t bytes) {
    const int64_t line = 64 / bytes;
    return ((elements + line - 1) / line | 1) * line;
  }
  int64_t block_bytes() const { return kPositions * (v_position() * 2 + m_position() * 4); }

  /// Filters [n][k][3×3] → [position][panel of n][word of k][n][k].
  void pack(const float* w, std::byte* packed) const {
    constexpr int64_t kWidth = DotShape::kColumns;
    parallel_for(DotShape::panels(out_), 1, [&](int64_t first, int64_t last) {
      // Weights that train are packed at each run, which is not to allocate.
      thread_local std::vector<float> lines;
      thread_local std::vector<uint32_t> words;
      lines.resize(static_cast<size_t>(kPositions * in_));
      words.resize(static_cast<size_t>(in_ / 2));
      for (int64_t n = first * kWidth; n < last * kWidth; ++n) {
        for (int64_t k = 0; n < out_ && k < in_; ++k) {
          float u[kPositions];
          transform_filter(w, n, k, u);
          for (int64_t p = 0; p < kPositions; ++p) lines[static_cast<size_t>(p * in_ + k)] = u[p];
        }
        if (n >= out_) std::fill(lines.begin(), lines.end(), 0.0f);
        for (int64_t p = 0; p < kPositions; ++p) {
          bf16_kernels()->loops.narrow(in_, lines.data() + p * in_, reinterpret_cast<uint16_t*>(words.data()));
          auto* const to =
              reinterpret_cast<uint32_t*>(packed + p * position_bytes_) + n / kWidth * (in_ / 2) * kWidth + n % kWidth;
          for (int64_t k = 0; k < in_ / 2; ++k) to[k * kWidth] = words[static_cast<size_t>(k)];
        }
      }
    });
  }

  /// Of output n and input k.
  void transform_filter(const float* w, int64_t n, int64_t k, float* u) const {
    if (!form_.turned) return transformed(w + (n * in_ + k) * 9, u);
    float g[9];
    std::reverse_copy(w + (k * out_ + n) * 9, w + (k * out_ + n) * 9 + 9, g);
    transformed(g, u);
  }

  void run_block(int64_t first, int64_t n, const std::byte* packed, const KernelArguments& a, std::byte* block) const {
    const Bf16Winograd& transforms = bf16_kernels()->winograd;
    auto* const v = reinterpret_cast<uint16_t*>(block);
    auto* const m = reinterpret_cast<float*>(block + kPositions * v_position() * 2);
    const uint16_t* inputs[kPositions];
    for (int64_t i = 0; i < n; ++i) {
      tiles_.inputs(first + i, static_cast<const uint16_t*>(a.inputs[0]), in_, zeros_.data(), inputs);
      transforms.input(in_, inputs, v + i * v_row(), v_position());
    }
    const Bf16Tail sums_only;
    for (int64_t p = 0; p < kPositions; ++p)
      bf16_kernels()->tiles.multiply({n, out_, in_ / 2, reinterpret_cast<const std::byte*>(v + p * v_position()),
                                      v_row() * 2, DotShape::tile_rows(n), packed + p * position_bytes_,
                                      in_ / 2 * 4 * DotShape::kColumns,
                                      reinterpret_cast<std::byte*>(m + p * m_position()), m_row(), &sums_only});
    uint16_t* outputs[4];
    const uint16_t* residual[4];
    for (int64_t i = 0; i < n; ++i) {
      tiles_.outputs(first + i, static_cast<uint16_t*>(a.outputs[0]), out_, nullptr, outputs);
      if (form_.tail.residual)
        tiles_.outputs(first + i, static_cast<const uint16_t*>(a.inputs[form_.residual]), out_, nullptr, residual);
      transforms.output(out_, m + i * m_row(), m_position(),
                        form_.has_bias ? static_cast<const float*>(a.inputs[2]) : nullptr, form_.tail.activation,
                        form_.tail.residual ? residual : nullptr, outputs);
    }
  }

  Form form_;
  WinogradTiles tiles_;
  int64_t in_, out_, threads_, position_bytes_, block_;
  PackedWeights weights_;
  std::vector<uint16_t> zeros_;  // a pixel outside the picture
};

}  // namespace

namespace {

/// Whether it computes a convolution of x to y, and pays.
bool serves(const Window2d& w, const Operand& x, const Operand& y) {
  const bool three_by_three = w.kernel.height == 3 && w.kernel.width == 3 && w.stride.height == 1 &&
                              w.stride.width == 1 && w.dilation.height == 1 && w.dilation.width == 1;
  return three_by_three && y.dtype == DType::bf16 && x.shape[1] % kVector == 0 && y.shape[1] % kVector == 0 &&
         y.shape[0] * ((y.shape[2] + 1) / 2) * ((y.shape[3] + 1) / 2) >= kFewestTiles;
}

}  // namespace

std::unique_ptr<Kernel> winograd_forward(const Convolution& op, const KernelRequest& r) {
  if (!serves(op.window, r.inputs[0], r.outputs[0])) return nullptr;
  const bool has_bias = r.inputs.size() > 2 && r.inputs[2].present;
  return std::make_unique<WinogradKernel>(
      WinogradKernel::Form{op.window.padding.top, op.window.padding.left, false, 3, op.tail, has_bias}, r);
}

std::unique_ptr<Kernel> winograd_backward_data(const ConvolutionBackwardData& op, const KernelRequest& r) {
  if (!serves(op.window, r.inputs[0], r.outputs[0])) return nullptr;
  return std::make_unique<WinogradKernel>(
      WinogradKernel::Form{2 - op.window.padding.top, 2 - op.window.padding.left, true, 2, op.tail, false}, r);
}

}  // namespace graft::cpu::bf16
