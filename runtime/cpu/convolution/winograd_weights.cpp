// dL/dw of a 3×3 convolution of stride 1: the adjoint of Winograd's algorithm. Tiles of x and of dy are transformed,
// multiplied position by position as 36 products channels out × tiles times tiles × channels in, and the sums
// transformed back at the end.

#include <algorithm>

#include "runtime/core/parallel.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/convolution/winograd_tiles.h"
#include "runtime/cpu/vector/tiles.h"
#include "runtime/cpu/vector/winograd_transforms.h"

namespace graft::cpu {
namespace {

constexpr int64_t kPadding =
    16;  // floats between rows of a transformed block, so that they do not fall on one cache set
constexpr int64_t kBlock = 128;  // tiles transformed before they are multiplied: the depth of each product

class WinogradWeights final : public Kernel {
 public:
  WinogradWeights(const ConvolutionBackwardWeights& op, const KernelRequest& request)
      : tiles_(request.inputs[0].shape, request.inputs[1].shape, op.window.padding.top, op.window.padding.left),
        in_(request.inputs[0].shape[1]),
        out_(request.inputs[1].shape[1]),
        pixels_(request.inputs[1].shape[0] * request.inputs[1].shape[2] * request.inputs[1].shape[3]),
        bias_(op.bias) {
    block_ = std::min(kBlock, tiles_.count());
  }

  size_t scratch_bytes() const override {
    return static_cast<size_t>(kWinogradPositions * (block_ * (in_ + out_ + 2 * kPadding) + in_ * out_) +
                               std::max(in_, out_)) *
           sizeof(float);
  }

  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    const auto* dy = static_cast<const float*>(a.inputs[1]);
    auto* dw = static_cast<float*>(a.outputs[0]);
    float* const v = static_cast<float*>(a.scratch);
    float* const m = v + kWinogradPositions * block_ * (in_ + kPadding);
    float* const sums = m + kWinogradPositions * block_ * (out_ + kPadding);
    float* const zeros = sums + kWinogradPositions * in_ * out_;
    std::fill_n(zeros, std::max(in_, out_), 0.0f);
    for (int64_t first = 0; first < tiles_.count(); first += block_) {
      const int64_t n = std::min(block_, tiles_.count() - first);
      parallel_for(n, 8, [&](int64_t begin, int64_t end) { transform(first, begin, end, x, dy, zeros, v, m); });
      parallel_for(kWinogradPositions, 1,
                   [&](int64_t begin, int64_t end) { multiply(n, begin, end, v, m, first > 0, sums); });
    }
    parallel_for(out_, 1, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; ++k)
        for (int64_t c = 0; c < in_; c += kWinogradChannels)
          transforms_.weights_adjoint(sums + k * in_ + c, in_ * out_, dw + (k * in_ + c) * 9, 9, 1);
    });
    if (bias_) bias_gradient(dy, pixels_, out_, static_cast<float*>(a.outputs[1]));
  }

 private:
  void transform(int64_t block, int64_t first, int64_t last, const float* x, const float* dy, const float* zeros,
                 float* v, float* m) const {
    const float* pixels[36];
    for (int64_t i = first; i < last; ++i) {
      tiles_.inputs(block + i, x, in_, zeros, pixels);
      transforms_.input(in_, pixels, v + i * (in_ + kPadding), block_ * (in_ + kPadding));
      tiles_.outputs(block + i, dy, out_, zeros, pixels);
      transforms_.output_adjoint(out_, pixels, m + i * (out_ + kPadding), block_ * (out_ + kPadding));
    }
  }

  void multiply(int64_t n, int64_t first, int64_t last, const float* v, const float* m, bool accumulate,
                float* sums) const {
    const int64_t v_row = in_ + kPadding, m_row = out_ + kPadding, tile_rows = product_.tile_rows(out_);
    for (int64_t position = first; position < last; ++position) {
      product_.multiply_columns({out_,
                                 in_,
                                 n,
                                 m + position * block_ * m_row,
                                 m_row,
                                 tile_rows,
                                 tile_rows,
                                 v + position * block_ * v_row,
                                 v_row,
                                 product_.columns,
                                 sums + position * in_ * out_,
                                 in_,
                                 accumulate,
                                 nullptr,
                                 true,
                                 {}});
    }
  }

  const TileKernels& product_ = tile_kernels();
  const WinogradTransforms& transforms_ = winograd_transforms();
  WinogradTiles tiles_;
  int64_t in_, out_, pixels_;
  bool bias_;
  int64_t block_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> winograd_backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request) {
  if (!winograd_serves(op.window, op.groups, request.inputs[0], request.inputs[1])) return nullptr;
  return std::make_unique<WinogradWeights>(op, request);
}

bool winograd_serves(const Window2d& window, int64_t groups, const Operand& x, const Operand& y) {
  const bool three_by_three = window.kernel.height == 3 && window.kernel.width == 3 && window.stride.height == 1 &&
                              window.stride.width == 1 && window.dilation.height == 1 && window.dilation.width == 1;
  const bool padded_little =
      window.padding.top <= 2 && window.padding.left <= 2 && window.padding.bottom <= 2 && window.padding.right <= 2;
  const bool whole_vectors = groups == 1 && x.shape[1] % kWinogradChannels == 0 && y.shape[1] % kWinogradChannels == 0;
  const bool channels_last = x.strides == channels_last_strides(x.shape) && y.strides == channels_last_strides(y.shape);
  if (!three_by_three || !padded_little || !whole_vectors || !channels_last) return false;
  // A handful of tiles does not fill the products.
  const int64_t tiles = y.shape[0] * ((y.shape[2] + 3) / 4) * ((y.shape[3] + 3) / 4);
  return tiles >= 32;
}

}  // namespace graft::cpu
