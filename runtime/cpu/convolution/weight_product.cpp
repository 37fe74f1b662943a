// dL/dw as one product: w[k][tap][c] = Σ over pixels of dy[pixel][k]·x[pixel moved by tap][c]. Threads share the result, not the
// pixels, so that the sums do not depend on how many there are.
#include <omp.h>

#include <algorithm>

#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/parallel.h"
#include "runtime/cpu/vector/tiles.h"

namespace graft::cpu {
namespace {

constexpr int64_t kPixels = 192;  // pixels in a block: a panel of 192 × 32 inputs stays in the first cache
constexpr int64_t kDirectChannels = 256, kDirectPixels = 128;
constexpr int64_t kGroup = 512;   // channels of either side packed at a time: 192 × 512 of both fit the second cache

class WeightProduct final : public Kernel {
 public:
  WeightProduct(const ConvolutionBackwardWeights& op, const KernelRequest& request)
      : window_(op.window), x_shape_(request.inputs[0].shape), dy_shape_(request.inputs[1].shape), bias_(op.bias), threads_(omp_get_max_threads()) {
    in_ = x_shape_[1];
    out_ = dy_shape_[1];
    taps_ = op.window.kernel.height * op.window.kernel.width;
    pixels_ = dy_shape_[0] * dy_shape_[2] * dy_shape_[3];
    panels_ = tiles_.panels(in_);
    // Whole rounds of tiles for all threads, where there are enough.
    const int64_t tiles = (out_ + tiles_.rows - 1) / tiles_.rows, rounds = (tiles + threads_ - 1) / threads_;
    split_rows_ = tiles >= panels_;
    // Few channels: rows of x and dy are short enough to be read where they lie, straight from memory and ahead of use.
    direct_ = taps_ == 1 && window_.stride.height == 1 && window_.stride.width == 1 && in_ <= kDirectChannels && out_ <= kDirectChannels;
    tile_rows_ = split_rows_ ? (out_ + rounds * threads_ - 1) / (rounds * threads_) : tiles_.tile_rows(out_);
    row_tiles_ = (out_ + tile_rows_ - 1) / tile_rows_;
    thread_bytes_ = static_cast<size_t>(packed_dy_floats() + kPixels * kGroup) * sizeof(float) + kPixels * sizeof(const float*);
    thread_bytes_ = (thread_bytes_ + 63) / 64 * 64;
  }

  size_t scratch_bytes() const override { return thread_bytes_ * static_cast<size_t>(threads_) + sums_bytes(); }

  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    const auto* dy = static_cast<const float*>(a.inputs[1]);
    auto* dw = static_cast<float*>(a.outputs[0]);
    // One tap: the product is the gradient. More: it has the taps in the middle, and they move to the end afterwards.
    float* sums = taps_ == 1 ? dw : reinterpret_cast<float*>(static_cast<std::byte*>(a.scratch) + thread_bytes_ * static_cast<size_t>(threads_));
#pragma omp parallel num_threads(threads_)
    {
      const int64_t t = omp_get_thread_num(), count = omp_get_num_threads();
      accumulate(x, dy, sums, static_cast<std::byte*>(a.scratch) + static_cast<size_t>(t) * thread_bytes_, t, count);
    }
    if (taps_ > 1) move_taps_last(sums, dw);
    if (bias_) bias_gradient(dy, pixels_, out_, static_cast<float*>(a.outputs[1]));
  }

 private:
  /// A group of dy's channels in tiles, whatever their height.
  int64_t packed_dy_floats() const { return kGroup * kPixels + (kGroup / tile_rows_ + 1) * TileKernels::kPackSlack; }
  size_t sums_bytes() const { return taps_ == 1 ? 0 : static_cast<size_t>(out_ * taps_ * in_) * sizeof(float); }

  void accumulate(const float* x, const float* dy, float* sums, std::byte* scratch, int64_t t, int64_t count) const {
    const int64_t tile0 = split_rows_ ? row_tiles_ * t / count : 0, tile1 = split_rows_ ? row_tiles_ * (t + 1) / count : row_tiles_;
    const int64_t panel0 = split_rows_ ? 0 : panels_ * t / count, panel1 = split_rows_ ? panels_ : panels_ * (t + 1) / count;
    const int64_t m0 = tile0 * tile_rows_, m1 = std::min(out_, tile1 * tile_rows_);
    const int64_t c0 = panel0 * tiles_.columns, c1 = std::min(in_, panel1 * tiles_.columns);
    const int64_t row_group = kGroup / tile_rows_ * tile_rows_, column_group = kGroup;
    if (direct_) {
      for (int64_t first = 0; first < pixels_; first += kDirectPixels) {
        tiles_.multiply_columns({m1 - m0, c1 - c0, std::min(kDirectPixels, pixels_ - first), dy + first * out_ + m0, out_, tile_rows_, tile_rows_,
                                 x + first * in_ + c0, in_, tiles_.columns, sums + m0 * in_ + c0, in_, first > 0, nullptr, true, nullptr});
      }
      return;
    }
    auto* const packed_dy = reinterpret_cast<float*>(scratch);
    float* const packed_x = packed_dy + packed_dy_floats();
    auto** const sources = reinterpret_cast<const float**>(packed_x + kPixels * kGroup);
    for (int64_t first = 0; first < pixels_; first += kPixels) {
      const int64_t n = std::min(kPixels, pixels_ - first), tile = n * tile_rows_ + TileKernels::kPackSlack;
      for (int64_t m = m0; m < m1; m += row_group) {
        const int64_t rows = std::min(row_group, m1 - m);
        tiles_.pack_tiles(dy + first * out_ + m, out_, n, rows, tile_rows_, packed_dy, tile);
        for (int64_t tap = 0; tap < taps_; ++tap)
          for (int64_t c = c0; c < c1; c += column_group) {
            const int64_t columns = std::min(column_group, c1 - c);
            locate(x + c, first, n, tap, sources);
            tiles_.pack_panels(sources, n, columns, packed_x, n * tiles_.columns);
            tiles_.multiply_columns({rows, columns, n, packed_dy, tile_rows_, tile, tile_rows_, packed_x, tiles_.columns, n * tiles_.columns,
                                     sums + (m * taps_ + tap) * in_ + c, taps_ * in_, first > 0, nullptr, false, nullptr});
          }
      }
    }
  }

  /// The pixel of x that meets each of n output pixels at one tap; null outside the picture.
  void locate(const float* x, int64_t first, int64_t n, int64_t tap, const float** sources) const {
    const int64_t height = dy_shape_[2], width = dy_shape_[3];
    const int64_t tap_y = tap / window_.kernel.width * window_.dilation.height - window_.padding.top;
    const int64_t tap_x = tap % window_.kernel.width * window_.dilation.width - window_.padding.left;
    int64_t column = first % width, row = first / width % height, image = first / width / height;
    for (int64_t p = 0; p < n; ++p) {
      const int64_t yy = row * window_.stride.height + tap_y, xx = column * window_.stride.width + tap_x;
      const bool inside = yy >= 0 && yy < x_shape_[2] && xx >= 0 && xx < x_shape_[3];
      sources[p] = inside ? x + ((image * x_shape_[2] + yy) * x_shape_[3] + xx) * in_ : nullptr;
      if (++column < width) continue;
      column = 0;
      if (++row < height) continue;
      row = 0;
      ++image;
    }
  }

  /// [out][tap][in] → [out][in][tap]
  void move_taps_last(const float* sums, float* dw) const {
    parallel_for(out_, 8, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; ++k)
        for (int64_t tap = 0; tap < taps_; ++tap)
          for (int64_t c = 0; c < in_; ++c) dw[(k * in_ + c) * taps_ + tap] = sums[(k * taps_ + tap) * in_ + c];
    });
  }

  const TileKernels& tiles_ = tile_kernels();
  Window2d window_;
  Shape x_shape_, dy_shape_;
  bool bias_;
  int threads_;
  int64_t in_ = 0, out_ = 0, taps_ = 0, pixels_ = 0, tile_rows_ = 0, row_tiles_ = 0, panels_ = 0;
  bool split_rows_ = false, direct_ = false;
  size_t thread_bytes_ = 0;
};

bool is_channels_last(const Operand& operand) { return operand.strides == channels_last_strides(operand.shape); }

}  // namespace

std::unique_ptr<Kernel> product_backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request) {
  const Operand &x = request.inputs[0], &dy = request.inputs[1];
  const bool serves = op.groups == 1 && x.shape[1] % 16 == 0 && dy.shape[1] % 16 == 0 && is_channels_last(x) && is_channels_last(dy);
  if (!serves) return nullptr;
  return std::make_unique<WeightProduct>(op, request);
}

}  // namespace graft::cpu
