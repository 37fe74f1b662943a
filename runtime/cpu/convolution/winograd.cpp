// 3×3 convolutions of stride 1 by Winograd's F(4×4, 3×3): tiles of the picture are transformed, multiplied position by
// position as 36 products tiles × channels in times channels in × channels out, and transformed back. Each thread takes a block
// of tiles through all three steps, so that what lies between them stays in its own cache. The gradient of the input is the same
// convolution with the filters turned round.
#include <omp.h>

#include <algorithm>

#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/convolution/packed_weights.h"
#include "runtime/cpu/convolution/winograd_tiles.h"
#include "runtime/cpu/parallel.h"
#include "runtime/cpu/vector/tiles.h"
#include "runtime/cpu/vector/winograd_transforms.h"

namespace graft::cpu {
namespace {

constexpr int64_t kPadding = 16;  // floats between rows of a transformed block, so that they do not fall on one cache set
constexpr int64_t kDepthBlock = 256;

class WinogradProduct {
 public:
  WinogradProduct(const WinogradTiles& tiles, int64_t in, int64_t out) : tiles_(tiles), in_(in), out_(out), threads_(omp_get_max_threads()) {
    // Filters are read once a block: a block must be large enough to pay for that and small enough for the second cache.
    const int64_t wanted = in_ * out_ <= 128 * 128 ? 1 : 4;
    block_ = product_.rows * wanted;
    const int64_t share = (tiles_.count() + threads_ - 1) / threads_;
    block_ = std::min(block_, (share + product_.rows - 1) / product_.rows * product_.rows);
  }

  int64_t packed_elements() const { return kWinogradPositions * position_elements(); }
  size_t scratch_bytes() const { return static_cast<size_t>(threads_) * thread_floats() * sizeof(float); }

  /// Filter n, channel k, tap t is at w[n·n_stride + k·k_stride + (turned ? 8 - t : t)]. Packed: [position][panel][k][column].
  void pack(const float* w, int64_t k_stride, int64_t n_stride, bool turned, float* packed) const {
    const int64_t width = product_.columns;
    parallel_for(in_, 1, [&](int64_t first, int64_t last) {
      for (int64_t n = 0; n < out_; n += kWinogradChannels)
        for (int64_t k = first; k < last; ++k) {
          const float* filters = w + n * n_stride + k * k_stride;
          alignas(64) float u[kWinogradPositions * kWinogradChannels];
          transforms_.weights(turned ? filters + 8 : filters, n_stride, turned ? -1 : 1, u, kWinogradChannels);
          for (int position = 0; position < kWinogradPositions; ++position)
            for (int64_t l = 0; l < kWinogradChannels; l += width) {
              const int64_t chunk = std::min<int64_t>(width, kWinogradChannels - l);
              float* to = packed + position * position_elements() + ((n + l) / width * in_ + k) * width + (n + l) % width;
              std::copy_n(u + position * kWinogradChannels + l, chunk, to);
            }
        }
    });
  }

  void run(const float* x, const float* packed, const TileTail& tail, float* y, void* scratch) const {
#pragma omp parallel num_threads(threads_)
    {
      const int64_t t = omp_get_thread_num(), count = omp_get_num_threads();
      const int64_t first = tiles_.count() * t / count, last = tiles_.count() * (t + 1) / count;
      float* const mine = static_cast<float*>(scratch) + t * thread_floats();
      for (int64_t tile = first; tile < last; tile += block_) run_block(tile, std::min(block_, last - tile), x, packed, tail, y, mine);
    }
  }

 private:
  int64_t position_elements() const { return product_.panels(out_) * product_.columns * in_; }
  int64_t thread_floats() const { return kWinogradPositions * block_ * (in_ + kPadding + out_ + kPadding) + std::max(in_, out_); }

  void run_block(int64_t first, int64_t n, const float* x, const float* packed, const TileTail& tail, float* y, float* scratch) const {
    const int64_t v_row = in_ + kPadding, m_row = out_ + kPadding;
    float* const v = scratch;
    float* const m = v + kWinogradPositions * block_ * v_row;
    float* const zeros = m + kWinogradPositions * block_ * m_row;
    std::fill_n(zeros, in_, 0.0f);
    const float* inputs[36];
    for (int64_t i = 0; i < n; ++i) {
      tiles_.inputs(first + i, x, in_, zeros, inputs);
      transforms_.input(in_, inputs, v + i * v_row, block_ * v_row);
    }
    const int64_t tile_rows = product_.tile_rows(n);
    for (int position = 0; position < kWinogradPositions; ++position)
      for (int64_t k = 0; k < in_; k += kDepthBlock) {
        product_.multiply_rows({n, out_, std::min(kDepthBlock, in_ - k), v + position * block_ * v_row + k, v_row, tile_rows * v_row, tile_rows,
                                packed + position * position_elements() + k * product_.columns, product_.columns, in_ * product_.columns,
                                m + position * block_ * m_row, m_row, k > 0, nullptr, false, nullptr});
      }
    float* outputs[16];
    const float* residual[16];
    for (int64_t i = 0; i < n; ++i) {
      tiles_.outputs(first + i, y, out_, nullptr, outputs);
      if (tail.residual) tiles_.outputs(first + i, tail.residual, out_, nullptr, residual);
      transforms_.output(out_, m + i * m_row, block_ * m_row, tail, tail.residual ? residual : nullptr, outputs);
    }
  }

  const TileKernels& product_ = tile_kernels();
  const WinogradTransforms& transforms_ = winograd_transforms();
  WinogradTiles tiles_;
  int64_t in_, out_;
  int threads_;
  int64_t block_;
};

class WinogradForward final : public Kernel {
 public:
  WinogradForward(const Convolution& op, const KernelRequest& request)
      : product_(WinogradTiles(request.inputs[0].shape, request.outputs[0].shape, op.window.padding.top, op.window.padding.left), request.inputs[0].shape[1],
                 request.outputs[0].shape[1]),
        weights_(request.inputs[1], product_.packed_elements(),
                 [product = product_, in = request.inputs[0].shape[1]](const float* w, float* packed) { product.pack(w, 9, 9 * in, false, packed); }),
        has_bias_(request.inputs.size() > 2 && request.inputs[2].present),
        tail_(op.tail) {}
  size_t scratch_bytes() const override { return weights_.scratch_bytes() + product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const float* packed = weights_.get(a.inputs[1], a.scratch);
    const TileTail tail{has_bias_ ? static_cast<const float*>(a.inputs[2]) : nullptr, tail_.residual ? static_cast<const float*>(a.inputs[3]) : nullptr, tail_.activation};
    product_.run(static_cast<const float*>(a.inputs[0]), packed, tail, static_cast<float*>(a.outputs[0]), static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes());
  }

 private:
  WinogradProduct product_;
  PackedWeights weights_;
  bool has_bias_;
  Epilogue tail_;
};

/// dx = dy convolved with the filters turned round, their inputs and outputs exchanged, padding 2 - padding.
class WinogradBackwardData final : public Kernel {
 public:
  WinogradBackwardData(const ConvolutionBackwardData& op, const KernelRequest& request)
      : product_(WinogradTiles(request.inputs[0].shape, request.outputs[0].shape, 2 - op.window.padding.top, 2 - op.window.padding.left),
                 request.inputs[0].shape[1], request.outputs[0].shape[1]),
        weights_(request.inputs[1], product_.packed_elements(),
                 [product = product_, out = request.outputs[0].shape[1]](const float* w, float* packed) { product.pack(w, 9 * out, 9, true, packed); }),
        tail_(op.tail) {}
  size_t scratch_bytes() const override { return weights_.scratch_bytes() + product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const float* packed = weights_.get(a.inputs[1], a.scratch);
    const TileTail tail{nullptr, tail_.residual ? static_cast<const float*>(a.inputs[2]) : nullptr, tail_.activation};
    product_.run(static_cast<const float*>(a.inputs[0]), packed, tail, static_cast<float*>(a.outputs[0]), static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes());
  }

 private:
  WinogradProduct product_;
  PackedWeights weights_;
  Epilogue tail_;
};

/// Transformed filters are four times as large as the filters: with few tiles, reading them costs more than is saved.
bool pays(const Operand& x, const Operand& y) {
  const int64_t tiles = y.shape[0] * ((y.shape[2] + 3) / 4) * ((y.shape[3] + 3) / 4);
  return tiles * 1024 >= x.shape[1] * y.shape[1];
}

}  // namespace

std::unique_ptr<Kernel> winograd_forward(const Convolution& op, const KernelRequest& request) {
  if (!winograd_serves(op.window, op.groups, request.inputs[0], request.outputs[0]) || !pays(request.inputs[0], request.outputs[0])) return nullptr;
  return std::make_unique<WinogradForward>(op, request);
}

std::unique_ptr<Kernel> winograd_backward_data(const ConvolutionBackwardData& op, const KernelRequest& request) {
  if (!winograd_serves(op.window, op.groups, request.outputs[0], request.inputs[0]) || !pays(request.inputs[0], request.outputs[0])) return nullptr;
  return std::make_unique<WinogradBackwardData>(op, request);
}

}  // namespace graft::cpu
