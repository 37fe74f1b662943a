// dL/dw as one product: w[k][tap][c] = Σ over pixels of dy[pixel][k]·x[pixel moved by tap][c]. Threads share the
// result, not the pixels, so that the sums do not depend on how many there are. A dense layer is the same with rows for
// pixels and one tap.

#include <algorithm>

#include "runtime/core/index_range.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/convolution/moved_pixels.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/row_product.h"
#include "runtime/cpu/vector/tiles.h"

namespace graft::cpu {
namespace {

constexpr int64_t kPixels =
    128;  // pixels in a block: a panel of 128 × 32 inputs and a tile of 14 × 128 gradients stay in the first cache
constexpr int64_t kDirectChannels = 256, kDirectPixels = 256;
// Channels of either side at a time. Packing one side again for another part of the other costs more than sums that are
// too many for the second cache: those are fetched while the tile before them is multiplied.
constexpr int64_t kGroup = 768;
constexpr int64_t kSums = kGroup * kGroup;  // of a chunk: rows × taps × columns

class WeightProduct {
 public:
  /// `x`: N×C×H×W, `dy`: N×K×H'×W', both channels last.
  WeightProduct(const Window2d& window, const Shape& x, const Shape& dy)
      : window_(window), x_shape_(x), dy_shape_(dy), threads_(thread_count()) {
    in_ = x_shape_[1];
    out_ = dy_shape_[1];
    taps_ = window.kernel.height * window.kernel.width;
    pixels_ = dy_shape_[0] * dy_shape_[2] * dy_shape_[3];
    panels_ = tiles_.panels(in_);
    // Whole rounds of tiles for all threads, where there are enough.
    const int64_t tiles = (out_ + tiles_.rows - 1) / tiles_.rows, rounds = (tiles + threads_ - 1) / threads_;
    split_rows_ = tiles >= panels_;
    // Few channels: rows of x and dy are short enough to be read where they lie, straight from memory and ahead of use.
    direct_ = taps_ == 1 && window_.stride.height == 1 && window_.stride.width == 1 && in_ <= kDirectChannels &&
              out_ <= kDirectChannels;
    tile_rows_ = split_rows_ ? (out_ + rounds * threads_ - 1) / (rounds * threads_) : tiles_.tile_rows(out_);
    row_tiles_ = (out_ + tile_rows_ - 1) / tile_rows_;
    thread_bytes_ = static_cast<size_t>(packed_dy_floats() + kPixels * kGroup + sums_floats()) * sizeof(float) +
                    kPixels * sizeof(const float*);
    thread_bytes_ = (thread_bytes_ + 63) / 64 * 64;
  }

  int64_t pixels() const { return pixels_; }
  size_t scratch_bytes() const { return thread_bytes_ * static_cast<size_t>(threads_); }

  void run(const float* x, const float* dy, float* dw, void* scratch) const {
    parallel_team(threads_, [&](int64_t t, int64_t count) {
      accumulate(x, dy, dw, static_cast<std::byte*>(scratch) + static_cast<size_t>(t) * thread_bytes_, t, count);
    });
  }

 private:
  /// A group of dy's channels in tiles, whatever their height.
  int64_t packed_dy_floats() const { return kGroup * kPixels + (kGroup / tile_rows_ + 1) * TileKernels::kPackSlack; }
  int64_t sums_floats() const { return std::min(kSums, out_ * taps_ * in_) + kGroup * kLineFloats; }

  void accumulate(const float* x, const float* dy, float* dw, std::byte* scratch, int64_t t, int64_t count) const {
    const int64_t tile0 = split_rows_ ? row_tiles_ * t / count : 0,
                  tile1 = split_rows_ ? row_tiles_ * (t + 1) / count : row_tiles_;
    const int64_t panel0 = split_rows_ ? 0 : panels_ * t / count,
                  panel1 = split_rows_ ? panels_ : panels_ * (t + 1) / count;
    const int64_t m0 = tile0 * tile_rows_, m1 = std::min(out_, tile1 * tile_rows_);
    const int64_t c0 = panel0 * tiles_.columns, c1 = std::min(in_, panel1 * tiles_.columns);
    const int64_t row_group = kGroup / tile_rows_ * tile_rows_, column_group = kGroup;
    if (direct_) {
      for (int64_t first = 0; first < pixels_; first += kDirectPixels) {
        const int64_t n = std::min(kDirectPixels, pixels_ - first);
        const Fetch next_dy{dy + (first + n) * out_ + m0, n, (m1 - m0 + kLineFloats - 1) / kLineFloats, out_},
            next_x{x + (first + n) * in_ + c0, n, (c1 - c0) / kLineFloats, in_};
        tiles_.multiply_columns({m1 - m0,
                                 c1 - c0,
                                 n,
                                 dy + first * out_ + m0,
                                 out_,
                                 tile_rows_,
                                 tile_rows_,
                                 x + first * in_ + c0,
                                 in_,
                                 tiles_.columns,
                                 dw + m0 * in_ + c0,
                                 in_,
                                 first > 0,
                                 nullptr,
                                 true,
                                 {next_dy, next_x}});
      }
      return;
    }
    for (int64_t m = m0; m < m1; m += row_group) {
      const int64_t rows = std::min(row_group, m1 - m);
      for (int64_t c = c0; c < c1; c += column_group) {
        const int64_t columns = std::min(column_group, c1 - c),
                      taps = std::clamp<int64_t>(kSums / (rows * columns), 1, taps_);
        for (int64_t tap = 0; tap < taps_; tap += taps)
          add_chunk({m, m + rows}, {c, c + columns}, {tap, std::min(taps_, tap + taps)}, x, dy, dw, scratch);
      }
    }
  }

  /// Part of the result, over all pixels. Each block of them is fetched while the one before it is multiplied.
  void add_chunk(IndexRange rows, IndexRange columns, IndexRange taps, const float* x, const float* dy, float* dw,
                 std::byte* scratch) const {
    auto* const packed_dy = reinterpret_cast<float*>(scratch);
    float* const packed_x = packed_dy + packed_dy_floats();
    float* const sums = packed_x + kPixels * kGroup;
    auto** const sources = reinterpret_cast<const float**>(sums + sums_floats());
    const int64_t sums_row =
        taps.size() * columns.size() + kLineFloats;  // rows a power of two apart would meet in few sets of the caches
    const MovedPixels pixels{dy_shape_[2], dy_shape_[3], window_.stride, x_shape_[2], x_shape_[3], in_};
    for (int64_t first = 0; first < pixels_; first += kPixels) {
      const int64_t n = std::min(kPixels, pixels_ - first), tile = n * tile_rows_ + TileKernels::kPackSlack;
      tiles_.pack_tiles(dy + first * out_ + rows.first, out_, n, rows.size(), tile_rows_, packed_dy, tile);
      const Fetch next_dy{dy + (first + n) * out_ + rows.first, n, rows.size() / kLineFloats + 1, out_};
      for (int64_t tap = taps.first; tap < taps.last; ++tap) {
        pixels.locate(first, n, tap / window_.kernel.width * window_.dilation.height - window_.padding.top,
                      tap % window_.kernel.width * window_.dilation.width - window_.padding.left, x + columns.first,
                      sources);
        const Fetch next_x = coming_x(x + columns.first, first + n, n, tap, columns.size());
        tiles_.pack_panels(sources, n, columns.size(), packed_x, n * tiles_.columns);
        tiles_.multiply_columns({rows.size(),
                                 columns.size(),
                                 n,
                                 packed_dy,
                                 tile_rows_,
                                 tile,
                                 tile_rows_,
                                 packed_x,
                                 tiles_.columns,
                                 n * tiles_.columns,
                                 sums + (tap - taps.first) * columns.size(),
                                 sums_row,
                                 first > 0,
                                 nullptr,
                                 false,
                                 {tap == taps.first ? next_dy : Fetch{}, next_x}});
      }
    }
    for (int64_t m = 0; m < rows.size(); ++m)
      for (int64_t tap = taps.first; tap < taps.last; ++tap) {
        const float* from = sums + m * sums_row + (tap - taps.first) * columns.size();
        float* to = dw + ((rows.first + m) * in_ + columns.first) * taps_ + tap;
        for (int64_t c = 0; c < columns.size(); ++c) to[c * taps_] = from[c];
      }
  }

  /// The pixels of x that n output pixels from `first` on will meet: roughly, since rows of the picture end and others
  /// begin.
  Fetch coming_x(const float* x, int64_t first, int64_t n, int64_t tap, int64_t columns) const {
    const int64_t width = dy_shape_[3], height = dy_shape_[2];
    const int64_t column = first % width, row = first / width % height, image = first / width / height;
    const int64_t yy =
        row * window_.stride.height + tap / window_.kernel.width * window_.dilation.height - window_.padding.top;
    const int64_t xx =
        column * window_.stride.width + tap % window_.kernel.width * window_.dilation.width - window_.padding.left;
    return {x + ((image * x_shape_[2] + yy) * x_shape_[3] + xx) * in_, n, columns / kLineFloats,
            window_.stride.width * in_};
  }

  const TileKernels& tiles_ = tile_kernels();
  Window2d window_;
  Shape x_shape_, dy_shape_;
  int threads_;
  int64_t in_ = 0, out_ = 0, taps_ = 0, pixels_ = 0, tile_rows_ = 0, row_tiles_ = 0, panels_ = 0;
  bool split_rows_ = false, direct_ = false;
  size_t thread_bytes_ = 0;
};

class ConvolutionWeights final : public Kernel {
 public:
  ConvolutionWeights(const ConvolutionBackwardWeights& op, const KernelRequest& request)
      : product_(op.window, request.inputs[0].shape, request.inputs[1].shape),
        out_(request.inputs[1].shape[1]),
        bias_(op.bias) {}
  size_t scratch_bytes() const override { return product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const auto* dy = static_cast<const float*>(a.inputs[1]);
    product_.run(static_cast<const float*>(a.inputs[0]), dy, static_cast<float*>(a.outputs[0]), a.scratch);
    if (bias_) bias_gradient(dy, product_.pixels(), out_, static_cast<float*>(a.outputs[1]));
  }

 private:
  WeightProduct product_;
  int64_t out_;
  bool bias_;
};

/// Aᵀ·B of matrices with rows×m and rows×n elements.
class DenseWeights final : public Kernel {
 public:
  DenseWeights(int64_t rows, int64_t m, int64_t n) : product_({}, {rows, n, 1, 1}, {rows, m, 1, 1}) {}
  size_t scratch_bytes() const override { return product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    product_.run(static_cast<const float*>(a.inputs[1]), static_cast<const float*>(a.inputs[0]),
                 static_cast<float*>(a.outputs[0]), a.scratch);
  }

 private:
  WeightProduct product_;
};

}  // namespace

std::unique_ptr<Kernel> product_backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request) {
  const Operand &x = request.inputs[0], &dy = request.inputs[1];
  if (!has_whole_vectors(op.groups, x, dy)) return nullptr;
  return std::make_unique<ConvolutionWeights>(op, request);
}

std::unique_ptr<Kernel> dense_weight_gradient(const Gemm& op, const KernelRequest& request) {
  constexpr int64_t kFewestRows = 128;
  if (op.transpose_a == Transpose2d::no || op.transpose_b == Transpose2d::yes || op.alpha != 1) return nullptr;
  if (request.inputs.size() > 2 || !op.tail.empty()) return nullptr;
  const Operand &a = request.inputs[0], &b = request.inputs[1], &y = request.outputs[0];
  for (const Operand* operand : {&a, &b, &y})
    if (operand->strides != plain_strides(operand->shape)) return nullptr;
  const int64_t rows = a.shape[0], m = a.shape[1], n = b.shape[1];
  if (rows < kFewestRows || m % 16 != 0 || n % 16 != 0 || m == 0 || n == 0) return nullptr;
  return std::make_unique<DenseWeights>(rows, m, n);
}

}  // namespace graft::cpu
