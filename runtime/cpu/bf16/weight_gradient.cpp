// Gradients of a convolution's weights from bfloat16 pictures: a product over pixels, taken two at a time, of dL/dy and
// of what each pixel's window sees.
#include "runtime/core/parallel.h"
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/bf16/pixel_product.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/vector/bf16_kernels.h"
#include "runtime/cpu/window_rows.h"
#include "runtime/ops/convolution.h"

namespace graft::cpu::bf16 {
namespace {

constexpr int64_t kPixels = PixelProduct::kPixels, kPanel = PixelProduct::kPanel;

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
        product_(y_[1], columns_, pixels_, source_bytes()),
        bias_(op.bias) {}
  size_t scratch_bytes() const override { return sum_bytes() + product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const auto *x = static_cast<const uint16_t*>(a.inputs[0]), *dy = static_cast<const uint16_t*>(a.inputs[1]);
    auto* const dw = static_cast<float*>(a.outputs[0]);
    float* const sums = taps_ == 1 ? dw : static_cast<float*>(a.scratch);
    product_.run(
        dy, [&](std::byte* memory) { return Seen(*this, x, memory); }, sums,
        static_cast<std::byte*>(a.scratch) + sum_bytes());
    if (taps_ > 1) spread(sums, dw);
    if (bias_) sum_bias(dy, static_cast<float*>(a.outputs[1]));
  }

 private:
  bool gathers() const { return x_[1] % kPanel != 0; }
  int64_t gathered_pitch() const { return (columns_ * 2 + 63) / 64 * 64 + 64; }
  size_t sum_bytes() const { return (static_cast<size_t>(y_[1] * columns_) * sizeof(float) + 63) / 64 * 64; }
  size_t source_bytes() const {
    static_assert(kPixels * sizeof(void*) % 64 == 0);
    return static_cast<size_t>(kPixels) *
           (sizeof(void*) + (gathers() ? static_cast<size_t>(gathered_pitch()) : size_t{0}));
  }

  /// What each pixel's window sees, as a matrix of pixels × (taps · channels): read where it lies, or gathered where a
  /// panel would not stay within one tap.
  class Seen {
   public:
    Seen(const WeightGradient& of, const uint16_t* x, std::byte* memory)
        : of_(of),
          x_(x),
          seen_(reinterpret_cast<const uint16_t**>(memory)),
          gathered_(reinterpret_cast<std::byte*>(seen_ + kPixels)),
          channels_(of.x_[1]),
          pitch_(of.gathered_pitch()),
          gathers_(of.gathers()) {}
    void begin(IndexRange pixels) {
      pixels_ = pixels;
      tap_ = -1;
      if (gathers_) of_.windows_.gather(x_, pixels, std::byte{0}, gathered_, pitch_);
    }
    void panel(int64_t column) {
      column_ = gathers_ ? column : column % channels_;
      if (gathers_ || column / channels_ == tap_) return;
      tap_ = column / channels_;
      of_.locate(tap_, pixels_.first, pixels_.size(), x_, seen_);
    }
    const uint16_t* at(int64_t i) const {
      if (gathers_) return reinterpret_cast<const uint16_t*>(gathered_ + i * pitch_) + column_;
      return seen_[i] ? seen_[i] + column_ : nullptr;
    }

   private:
    const WeightGradient& of_;
    const uint16_t* x_;
    const uint16_t** seen_;
    std::byte* gathered_;
    int64_t channels_, pitch_, tap_ = -1, column_ = 0;
    bool gathers_;
    IndexRange pixels_{0, 0};
  };

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
  PixelProduct product_;
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
