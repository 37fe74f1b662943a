// dL/dw on matrix units that multiply bfloat16, to float32's accuracy: w[k][tap][c] = Σ over pixels of
// dy[pixel][k]·x[pixel moved by tap][c]. Threads share the result, not the pixels, so that the sums do not depend on
// how many there are. Each packs what its part needs: what another has just written comes more slowly than it is made.

#include <algorithm>

#include "runtime/core/index_range.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/convolution/moved_pixels.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/vector/split_tiles.h"

namespace graft::cpu {
namespace {

constexpr int64_t kMostPixels = 512, kFewestPixels = 64;  // in a block
constexpr int64_t kBlockBytes = int64_t{1} << 20;         // of a block, packed: it shares the second cache with sums
constexpr int64_t kPair = 2 * SplitTiles::kColumns;       // tiles are multiplied in pairs
constexpr int64_t kFewestChannels = 128, kFewestAltogether = 1536;
constexpr int64_t kNumberBytes = 6;  // of a number in three parts

class SplitWeights final : public Kernel {
 public:
  SplitWeights(const ConvolutionBackwardWeights& op, const KernelRequest& request)
      : window_(op.window),
        bias_(op.bias),
        in_(request.inputs[0].shape[1]),
        out_(request.inputs[1].shape[1]),
        taps_(op.window.kernel.height * op.window.kernel.width),
        threads_(thread_count()) {
    const Shape &x = request.inputs[0].shape, &dy = request.inputs[1].shape;
    pixels_ = dy[0] * dy[2] * dy[3];
    // What lies across the depth on its way into rows is transposed, and packed by every thread: the lesser side takes
    // that on. With several taps dy is packed once for all of them.
    swapped_ = taps_ == 1 && out_ > in_;
    const MovedPixels of_x{dy[2], dy[3], window_.stride, x[2], x[3], in_},
        of_dy{dy[2], dy[3], {1, 1}, dy[2], dy[3], out_};
    row_pixels_ = swapped_ ? of_x : of_dy;
    column_pixels_ = swapped_ ? of_dy : of_x;
    direct_ = taps_ == 1 && !swapped_;
    column_shares_ = std::clamp<int64_t>(columns() / kPair, 1, threads_);
    row_shares_ = std::clamp<int64_t>(rows() / kPair, 1, threads_ / column_shares_);
    const int64_t most_rows = share(rows(), row_shares_ - 1, row_shares_).size(),
                  most_columns = share(columns(), column_shares_ - 1, column_shares_).size();
    block_pixels_ =
        std::clamp(kBlockBytes / ((most_rows + most_columns) * kNumberBytes) / kFewestPixels * kFewestPixels,
                   kFewestPixels, kMostPixels);
    tile_bytes_ = block_pixels_ / SplitTiles::kDepth * SplitTiles::kStepBytes;
    rows_bytes_ = most_rows / SplitTiles::kRows * tile_bytes_;
    thread_bytes_ = rows_bytes_ + most_columns / SplitTiles::kColumns * tile_bytes_;
  }

  size_t scratch_bytes() const override {
    return static_cast<size_t>(threads_ * thread_bytes_) +
           (direct_ ? 0 : static_cast<size_t>(rows() * taps_ * columns()) * sizeof(float));
  }

  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    const auto* dy = static_cast<const float*>(a.inputs[1]);
    auto* dw = static_cast<float*>(a.outputs[0]);
    auto* const scratch = static_cast<std::byte*>(a.scratch);
    float* const sums = direct_ ? dw : reinterpret_cast<float*>(scratch + threads_ * thread_bytes_);
    parallel_team(threads_, [&](int64_t thread, int64_t count) {
      // A team may come out smaller than asked for.
      for (int64_t part = thread; part < row_shares_ * column_shares_; part += count) {
        const IndexRange rows_part = share(rows(), part / column_shares_, row_shares_),
                         columns_part = share(columns(), part % column_shares_, column_shares_);
        accumulate(rows_part, columns_part, swapped_ ? x : dy, swapped_ ? dy : x, sums,
                   scratch + thread * thread_bytes_);
        if (!direct_) place(rows_part, columns_part, sums, dw);
      }
    });
    if (bias_) bias_gradient(dy, pixels_, out_, static_cast<float*>(a.outputs[1]));
  }

 private:
  int64_t rows() const { return row_pixels_.channels; }
  int64_t columns() const { return column_pixels_.channels; }

  /// Whole pairs of tiles; what is over is the last one's, which none exceeds.
  static IndexRange share(int64_t extent, int64_t part, int64_t count) {
    const int64_t pairs = extent / kPair;
    return {pairs * part / count * kPair, part + 1 == count ? extent : pairs * (part + 1) / count * kPair};
  }

  void accumulate(IndexRange rows, IndexRange columns, const float* row_source, const float* column_source, float* sums,
                  std::byte* scratch) const {
    std::byte *const a = scratch, *const b = scratch + rows_bytes_;
    const float* lines[kMostPixels];
    tiles_.configure(SplitTiles::kRows);
    for (int64_t first = 0; first < pixels_; first += block_pixels_) {
      const int64_t n = std::min(block_pixels_, pixels_ - first), next = first + n,
                    coming = std::min(block_pixels_, pixels_ - next);
      const int64_t top = -window_.padding.top, left = -window_.padding.left;
      row_pixels_.locate(first, n, swapped_ ? top : 0, swapped_ ? left : 0, row_source + rows.first, lines);
      tiles_.pack_depth_of_rows(lines, n, rows.size(), a, tile_bytes_);
      for (int64_t tap = 0; tap < taps_; ++tap) {
        const int64_t y = top + tap / window_.kernel.width * window_.dilation.height,
                      x = left + tap % window_.kernel.width * window_.dilation.width;
        column_pixels_.locate(first, n, swapped_ ? 0 : y, swapped_ ? 0 : x, column_source + columns.first, lines);
        tiles_.pack_depth_of_columns(lines, n, columns.size(), b, tile_bytes_);
        const int64_t row = taps_ * this->columns();
        float* const c = sums + rows.first * row + tap * this->columns() + columns.first;
        SplitProduct product{
            rows.size(), columns.size(), SplitTiles::steps(n), SplitTiles::kRows, a, tile_bytes_, b, tile_bytes_, c,
            row};
        product.sums = first > 0 ? c : nullptr;
        product.sums_row = row;
        if (tap == 0)
          product.ahead[0] = {row_source + next * this->rows() + rows.first, coming, rows.size() / kLineFloats,
                              this->rows()};
        if (taps_ == 1 && dense())
          product.ahead[1] = {column_source + next * this->columns() + columns.first, coming,
                              columns.size() / kLineFloats, this->columns()};
        tiles_.multiply(product);
      }
    }
    tiles_.release();
  }

  bool dense() const { return window_.stride.height == 1 && window_.stride.width == 1; }

  /// Sums lie [row][tap][column]; weights [out][in][tap].
  void place(IndexRange rows, IndexRange columns, const float* sums, float* dw) const {
    if (swapped_) {  // by squares of whole cache lines
      for (int64_t m0 = rows.first; m0 < rows.last; m0 += kLineFloats)
        for (int64_t c0 = columns.first; c0 < columns.last; c0 += kLineFloats)
          for (int64_t c = c0; c < c0 + kLineFloats; ++c)
            for (int64_t m = m0; m < m0 + kLineFloats; ++m) dw[c * in_ + m] = sums[m * out_ + c];
      return;
    }
    for (int64_t m = rows.first; m < rows.last; ++m)
      for (int64_t tap = 0; tap < taps_; ++tap) {
        const float* from = sums + (m * taps_ + tap) * in_;
        for (int64_t c = columns.first; c < columns.last; ++c) dw[(m * in_ + c) * taps_ + tap] = from[c];
      }
  }

  const SplitTiles& tiles_ = *split_tiles();
  Window2d window_;
  bool bias_;
  int64_t in_, out_, taps_;
  int threads_;
  int64_t pixels_ = 0;
  MovedPixels row_pixels_, column_pixels_;
  bool swapped_ = false, direct_ = false;
  int64_t row_shares_ = 1, column_shares_ = 1;
  int64_t block_pixels_ = 0, tile_bytes_ = 0, rows_bytes_ = 0, thread_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> split_backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request) {
  const Operand &x = request.inputs[0], &dy = request.inputs[1];
  // With fewer channels a number is multiplied too seldom to pay for its splitting; with fewer pixels, what is done
  // once for the result counts.
  const bool serves = split_tiles() && has_whole_vectors(op.groups, x, dy) && pixels(dy) >= kFewestAltogether &&
                      std::min(x.shape[1], dy.shape[1]) >= kFewestChannels;
  if (!serves) return nullptr;
  return std::make_unique<SplitWeights>(op, request);
}

}  // namespace graft::cpu
