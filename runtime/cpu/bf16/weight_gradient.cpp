// Gradients of a convolution's weights from bfloat16 pictures: a product over pixels, taken two at a time, of dL/dy and
// of what each pixel's window sees.
#include <vector>

#include "runtime/core/parallel.h"
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/vector/bf16_kernels.h"
#include "runtime/cpu/window_rows.h"
#include "runtime/ops/convolution.h"

namespace graft::cpu::bf16 {
namespace {

constexpr int64_t kPixels = 512;  // summed before sums are written: two words of 256 panels fit the first caches
constexpr int64_t kWords = kPixels / 2;
constexpr int64_t kRowsAtOnce = 36 * Bf16PixelProduct::kRows;  // whose words of a chunk fit the second cache
constexpr int64_t kPanel = Bf16PixelProduct::kColumns;

class WeightGradient final : public Kernel {
 public:
  WeightGradient(const ConvolutionBackwardWeights& op, const KernelRequest& r)
      : window_(op.window),
        windows_(op.window, r.inputs[0], r.inputs[1], 2),
        x_(r.inputs[0].shape),
        y_(r.inputs[1].shape),
        taps_(op.window.kernel.height * op.window.kernel.width),
        columns_(taps_ * x_[1]),
        pixels_(y_[0] * y_[2] * y_[3]),
        threads_(thread_count()),
        bias_(op.bias) {}
  size_t scratch_bytes() const override { return sum_bytes() + static_cast<size_t>(threads_) * thread_bytes(); }
  void run(const KernelArguments& a) override {
    const auto *x = static_cast<const uint16_t*>(a.inputs[0]), *dy = static_cast<const uint16_t*>(a.inputs[1]);
    auto* const dw = static_cast<float*>(a.outputs[0]);
    float* const sums = taps_ == 1 ? dw : static_cast<float*>(a.scratch);
    std::byte* const buffers = static_cast<std::byte*>(a.scratch) + sum_bytes();
    const int64_t panels = (columns_ + kPanel - 1) / kPanel;
    parallel_team(threads_, [&](int64_t t, int64_t count) {
      // Few columns, as three colours have: threads share the rows instead.
      const bool by_rows = panels < 4 * count;
      const int64_t rows = y_[1], tile = Bf16PixelProduct::kRows, tiles = (rows + tile - 1) / tile;
      const IndexRange own_rows =
          by_rows ? IndexRange{tiles * t / count * tile, std::min(rows, tiles * (t + 1) / count * tile)}
                  : IndexRange{0, rows};
      const IndexRange own_panels =
          by_rows ? IndexRange{0, panels} : IndexRange{panels * t / count, panels * (t + 1) / count};
      if (own_panels.size() == 0) return;
      for (int64_t first = own_rows.first; first < own_rows.last; first += kRowsAtOnce)
        sum_rows({first, std::min(own_rows.last, first + kRowsAtOnce)}, own_panels, x, dy, sums,
                 buffers + static_cast<size_t>(t) * thread_bytes());
    });
    if (taps_ > 1) spread(sums, dw);
    if (bias_) sum_bias(dy, static_cast<float*>(a.outputs[1]));
  }

 private:
  static constexpr int64_t kRowWords = kRowsAtOnce / Bf16PixelProduct::kRows * Bf16PixelProduct::kTileWords * kWords;
  bool gathers() const { return x_[1] % kPanel != 0; }
  int64_t gathered_pitch() const { return (columns_ * 2 + 63) / 64 * 64 + 64; }
  size_t sum_bytes() const { return (static_cast<size_t>(y_[1] * columns_) * sizeof(float) + 63) / 64 * 64; }
  size_t thread_bytes() const {
    static_assert(kPixels * sizeof(void*) % 64 == 0 && (kRowWords + kPanel * kWords) * 4 % 64 == 0);
    return static_cast<size_t>((kRowWords + kPanel * kWords) * 4 + kPixels * static_cast<int64_t>(sizeof(void*)) +
                               (gathers() ? kPixels * gathered_pitch() : 0));
  }

  void sum_rows(IndexRange rows, IndexRange panels, const uint16_t* x, const uint16_t* dy, float* sums,
                std::byte* buffer) const {
    const Bf16PixelTiles& tiles = bf16_kernels()->pixel_tiles;
    auto* const row_words = reinterpret_cast<uint32_t*>(buffer);
    uint32_t* const column_words = row_words + kRowWords;
    auto* const seen = reinterpret_cast<const uint16_t**>(column_words + kPanel * kWords);
    auto* const gathered = reinterpret_cast<std::byte*>(seen + kPixels);
    for (int64_t first = 0; first < pixels_; first += kPixels) {
      const int64_t n = std::min(kPixels, pixels_ - first), words = (n + 1) / 2;
      for (int64_t k = 0; k < words; ++k) {
        const uint16_t* const even = dy + (first + 2 * k) * y_[1] + rows.first;
        tiles.pack_rows(rows.size(), even, 2 * k + 1 < n ? even + y_[1] : nullptr,
                        row_words + k * Bf16PixelProduct::kTileWords, words * Bf16PixelProduct::kTileWords);
      }
      if (gathers()) windows_.gather(x, {first, first + n}, std::byte{0}, gathered, gathered_pitch());
      int64_t tap = -1;
      for (int64_t panel = panels.first; panel < panels.last; ++panel) {
        const int64_t column = panel * kPanel, width = std::min(kPanel, columns_ - column);
        if (!gathers() && column / x_[1] != tap) {
          tap = column / x_[1];
          locate(tap, first, n, x, seen);
        }
        const auto numbers = [&](int64_t i) -> const uint16_t* {
          if (i >= n) return nullptr;
          if (gathers()) return reinterpret_cast<const uint16_t*>(gathered + i * gathered_pitch()) + column;
          return seen[i] ? seen[i] + column % x_[1] : nullptr;
        };
        for (int64_t k = 0; k < words; ++k)
          tiles.pack_columns(width, numbers(2 * k), numbers(2 * k + 1), column_words + k * kPanel);
        tiles.multiply({rows.size(), width, words, row_words, column_words, sums + rows.first * columns_ + column,
                        columns_, first > 0});
      }
    }
  }

  /// Which pixels of x those from `first` on see through a tap; null outside the picture.
  void locate(int64_t tap, int64_t first, int64_t n, const uint16_t* x, const uint16_t** to) const {
    const int64_t down = tap / window_.kernel.width * window_.dilation.height - window_.padding.top,
                  right = tap % window_.kernel.width * window_.dilation.width - window_.padding.left;
    int64_t column = first % y_[3], row = first / y_[3] % y_[2], image = first / y_[3] / y_[2];
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at_y = row * window_.stride.height + down, at_x = column * window_.stride.width + right;
      const bool inside = at_y >= 0 && at_y < x_[2] && at_x >= 0 && at_x < x_[3];
      to[i] = inside ? x + ((image * x_[2] + at_y) * x_[3] + at_x) * x_[1] : nullptr;
      if (++column < y_[3]) continue;
      column = 0;
      if (++row < y_[2]) continue;
      row = 0;
      ++image;
    }
  }

  /// [n][tap][channel] → [n][channel][tap]
  void spread(const float* sums, float* dw) const {
    const int64_t channels = x_[1];
    parallel_for(y_[1], 1, [&](int64_t first, int64_t last) {
      for (int64_t n = first; n < last; ++n)
        for (int64_t c = 0; c < channels; ++c)
          for (int64_t t = 0; t < taps_; ++t) dw[n * columns_ + c * taps_ + t] = sums[n * columns_ + t * channels + c];
    });
  }

  void sum_bias(const uint16_t* dy, float* db) const {
    constexpr int64_t kChannels = 64;
    const int64_t channels = y_[1];
    std::fill_n(db, channels, 0.0f);
    parallel_for((channels + kChannels - 1) / kChannels, 1, [&](int64_t first, int64_t last) {
      const int64_t c0 = first * kChannels, c1 = std::min(channels, last * kChannels);
      for (int64_t p = 0; p < pixels_; ++p)
        bf16_kernels()->loops.add_scaled(c1 - c0, dy + p * channels + c0, 1.0f, db + c0);
    });
  }

  Window2d window_;
  WindowRows windows_;
  Shape x_, y_;
  int64_t taps_, columns_, pixels_;
  int threads_;
  bool bias_;
};

std::unique_ptr<Kernel> make(const ConvolutionBackwardWeights& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &dy = r.inputs[1];
  const bool types = x.dtype == DType::bf16 && dy.dtype == DType::bf16 && r.outputs[0].dtype == DType::f32;
  if (!types || op.groups != 1 || !is_channels_last(x) || !is_channels_last(dy)) return nullptr;
  if (x.shape.elements() == 0 || dy.shape.elements() == 0) return nullptr;
  return std::make_unique<WeightGradient>(op, r);
}

}  // namespace

void register_weight_gradient(KernelTable& table) { table.add<ConvolutionBackwardWeights>(make); }

}  // namespace graft::cpu::bf16
