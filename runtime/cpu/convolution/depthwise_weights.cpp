// Gradients of a depthwise convolution's weights: rows of dL/dy meet the rows of x that they were made from.
#include <algorithm>

#include "runtime/core/parallel.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/row_pieces.h"
#include "runtime/cpu/vector/depthwise.h"

namespace graft::cpu {
namespace {

class DepthwiseWeights final : public Kernel {
 public:
  DepthwiseWeights(const ConvolutionBackwardWeights& op, const KernelRequest& r)
      : window_(op.window), x_(r.inputs[0].shape), y_(r.inputs[1].shape), bias_(op.bias) {}
  size_t scratch_bytes() const override { return static_cast<size_t>(kRowPieces * sums()) * sizeof(float); }
  void run(const KernelArguments& a) override {
    const auto *x = static_cast<const float*>(a.inputs[0]), *dy = static_cast<const float*>(a.inputs[1]);
    auto* const scratch = static_cast<float*>(a.scratch);
    const int64_t rows = y_[0] * y_[2];
    parallel_parts(kRowPieces, thread_count(), [&](int64_t piece, int64_t) {
      float* const own = scratch + piece * sums();
      std::fill_n(own, sums(), 0.0f);
      for (int64_t row = first_row_of_piece(rows, piece); row < first_row_of_piece(rows, piece + 1); ++row)
        add_row(x, dy, row, own);
    });
    add_up(scratch, static_cast<float*>(a.outputs[0]));
    if (bias_) bias_gradient(dy, rows * y_[3], y_[1], static_cast<float*>(a.outputs[1]));
  }

 private:
  int64_t taps() const { return window_.kernel.height * window_.kernel.width; }
  int64_t sums() const { return taps() * x_[1]; }

  void add_row(const float* x, const float* dy, int64_t row, float* to) const {
    const int64_t channels = x_[1], image = row / y_[2],
                  top = row % y_[2] * window_.stride.height - window_.padding.top;
    for (int64_t t = 0; t < window_.kernel.height; ++t) {
      const int64_t at = top + t * window_.dilation.height;
      if (at < 0 || at >= x_[2]) continue;
      depthwise_loops().weight_row({channels, x_[3], y_[3], window_.kernel.width, window_.stride.width,
                                    window_.dilation.width, window_.padding.left,
                                    x + (image * x_[2] + at) * x_[3] * channels, dy + row * y_[3] * channels,
                                    to + t * window_.kernel.width * channels});
    }
  }

  /// [piece][tap][channel] → [channel][tap], pieces in order.
  void add_up(const float* pieces, float* dw) const {
    const int64_t channels = x_[1];
    parallel_for(taps(), std::max<int64_t>(1, 4096 / channels), [&](int64_t first, int64_t last) {
      for (int64_t t = first; t < last; ++t)
        for (int64_t c = 0; c < channels; ++c) {
          double sum = 0;
          for (int64_t piece = 0; piece < kRowPieces; ++piece)
            sum += static_cast<double>(pieces[piece * sums() + t * channels + c]);
          dw[c * taps() + t] = static_cast<float>(sum);
        }
    });
  }

  Window2d window_;
  Shape x_, y_;
  bool bias_;
};

}  // namespace

std::unique_ptr<Kernel> depthwise_backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &dy = r.inputs[1];
  if (op.groups != x.shape[1] || dy.shape[1] != x.shape[1] || !is_channels_last(x) || !is_channels_last(dy))
    return nullptr;
  if (x.shape.elements() == 0 || dy.shape.elements() == 0) return nullptr;
  return std::make_unique<DepthwiseWeights>(op, r);
}

}  // namespace graft::cpu
