// A 1×1 convolution without padding is one product: pixels × channels in, times channels in × channels out. A stride
// picks pixels on the way in (forward) or spreads them on the way out (gradient of the input).
#include <algorithm>
#include <optional>

#include "runtime/core/isa.h"
#include "runtime/cpu/channel_statistics.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/norm_gradient_sums.h"
#include "runtime/cpu/packed_product.h"
#include "runtime/cpu/packed_weights.h"

namespace graft::cpu {
namespace {

constexpr int64_t kFarResults = int64_t{8} << 20;  // elements that no cache holds

/// Whether a convolution of `large` to `small` pictures is a product over pixels with whole vectors of channels.
bool serves(const Window2d& window, int64_t groups, const Operand& large, const Operand& small) {
  const bool pointwise = window.kernel.height == 1 && window.kernel.width == 1;
  const bool unpadded =
      window.padding.top == 0 && window.padding.left == 0 && window.padding.bottom == 0 && window.padding.right == 0;
  return pointwise && unpadded && has_whole_vectors(groups, large, small);
}

/// Where sums are long and results few, oneDNN's product for AVX-512 is a tenth faster; elsewhere this one is.
bool library_is_faster(const Window2d& window, int64_t depth, int64_t columns) {
  return best_isa() == Isa::avx512 && window.stride.height == 1 && window.stride.width == 1 && depth > columns &&
         depth >= 512;
}

PixelSampling sampling(const Window2d& window, const Operand& large, const Operand& small) {
  return {small.shape[2], small.shape[3], large.shape[2], large.shape[3], window.stride.height, window.stride.width};
}

PixelSampling every_pixel(const Operand& operand) {
  return {operand.shape[2], operand.shape[3], operand.shape[2], operand.shape[3], 1, 1};
}

class PointwiseForward final : public Kernel {
 public:
  PointwiseForward(const Convolution& op, const KernelRequest& request)
      : in_(sampling(op.window, request.inputs[0], request.outputs[0])),
        out_(every_pixel(request.outputs[0])),
        product_(pixels(request.outputs[0]), request.inputs[0].shape[1], request.outputs[0].shape[1]),
        weights_(request.inputs[1], product_.packed_elements(),
                 [product = product_, depth = request.inputs[0].shape[1]](const float* w, float* packed) {
                   product.pack(w, 1, depth, packed);
                 }),
        has_bias_(request.inputs.size() > 2 && request.inputs[2].present),
        tail_(op.tail) {
    if (op.statistics) statistics_.emplace(pixels(request.outputs[0]), request.outputs[0].shape[1]);
  }
  bool has_pieces() const { return product_.has_pieces(); }
  size_t scratch_bytes() const override {
    return weights_.scratch_bytes() + product_.scratch_bytes() + (statistics_ ? statistics_->scratch_bytes() : 0);
  }
  void run(const KernelArguments& a) override {
    const float* packed = weights_.get(a.inputs[1], a.scratch);
    const TileTail tail = tail_of(tail_, has_bias_, a);
    std::byte* const scratch = static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes();
    void* const measured = scratch + product_.scratch_bytes();
    const auto* x = static_cast<const float*>(a.inputs[0]);
    auto* y = static_cast<float*>(a.outputs[0]);
    if (!statistics_) return product_.run(x, in_, packed, tail, y, out_, true, scratch);
    const int64_t channels = product_.columns();
    product_.run(x, in_, packed, tail, y, out_, true, scratch, [&](int64_t piece, int64_t row, int64_t rows) {
      statistics_->add(piece, row, y + row * channels, rows, measured);
    });
    statistics_->finish(measured, static_cast<float*>(a.outputs[1]), static_cast<float*>(a.outputs[2]));
  }

 private:
  PixelSampling in_, out_;
  PackedProduct product_;
  PackedWeights weights_;
  bool has_bias_;
  Epilogue tail_;
  std::optional<ChannelStatistics> statistics_;
};

class PointwiseBackwardData final : public Kernel {
 public:
  PointwiseBackwardData(const ConvolutionBackwardData& op, const KernelRequest& request)
      : in_(every_pixel(request.inputs[0])),
        out_(sampling(op.window, request.outputs[0], request.inputs[0])),
        product_(pixels(request.inputs[0]), request.inputs[0].shape[1], request.outputs[0].shape[1],
                 op.norm.has_value()),
        weights_(request.inputs[1], product_.packed_elements(),
                 [product = product_, columns = request.outputs[0].shape[1]](const float* w, float* packed) {
                   product.pack(w, columns, 1, packed);
                 }),
        output_elements_(request.outputs[0].shape.elements()),
        tail_(op.tail),
        residual_in_place_(request.in_place_input >= 0),
        norm_(op.norm) {
    if (norm_) sums_.emplace(pixels(request.outputs[0]), request.outputs[0].shape[1], norm_->activation);
  }
  /// Whether it can go on through a norm.
  bool has_pieces() const { return out_.dense() && product_.has_pieces(); }
  size_t scratch_bytes() const override {
    return weights_.scratch_bytes() + product_.scratch_bytes() + (sums_ ? sums_->scratch_bytes() : 0);
  }
  void run(const KernelArguments& a) override {
    const float* packed = weights_.get(a.inputs[1], a.scratch);
    auto* dx = static_cast<float*>(a.outputs[0]);
    const float* residual = tail_.residual ? static_cast<const float*>(a.inputs[2]) : nullptr;
    TileTail tail{nullptr, residual, tail_.activation};
    std::byte* const scratch = static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes();
    if (norm_) {
      const size_t first = a.inputs.size() - 4;
      const auto norm_input = [&](size_t i) { return static_cast<const float*>(a.inputs[first + i]); };
      void* const sums = scratch + product_.scratch_bytes();
      const NormGradientSums::Arrays arrays{dx, norm_input(1), norm_input(2), norm_input(0), dx};
      product_.run(static_cast<const float*>(a.inputs[0]), in_, packed, tail, dx, out_, true, scratch,
                   [&](int64_t piece, int64_t row, int64_t rows) { sums_->add(piece, row, rows, arrays, sums); },
                   {arrays.x, arrays.y});
      return sums_->finish(sums, norm_input(3), norm_->epsilon, static_cast<float*>(a.outputs[1]),
                           static_cast<float*>(a.outputs[2]));
    }
    if (!out_.dense()) {  // the product reaches some pixels only; the others are their residual, or nothing
      tail = {};
      if (residual && !residual_in_place_) {
        parallel_for(output_elements_, 1 << 16,
                     [&](int64_t first, int64_t last) { std::copy(residual + first, residual + last, dx + first); });
      }
    }
    product_.run(static_cast<const float*>(a.inputs[0]), in_, packed, tail, dx, out_, residual == nullptr, scratch);
    if (!out_.dense() && tail_.activation.kind != Activation::Kind::none) {
      parallel_for(output_elements_, 1 << 16, [&](int64_t first, int64_t last) {
        vector_loops().activate(last - first, dx + first, tail_.activation, dx + first);
      });
    }
  }

 private:
  PixelSampling in_, out_;
  PackedProduct product_;
  PackedWeights weights_;
  int64_t output_elements_;
  Epilogue tail_;
  bool residual_in_place_;
  std::optional<ConvolutionBackwardData::Norm> norm_;
  std::optional<NormGradientSums> sums_;
};

}  // namespace

std::unique_ptr<Kernel> pointwise_forward(const Convolution& op, const KernelRequest& request) {
  const Operand &x = request.inputs[0], &y = request.outputs[0];
  if (!serves(op.window, op.groups, x, y) || library_is_faster(op.window, x.shape[1], y.shape[1])) return nullptr;
  auto kernel = std::make_unique<PointwiseForward>(op, request);
  if (op.statistics && !kernel->has_pieces()) return nullptr;
  return kernel;
}

std::unique_ptr<Kernel> pointwise_backward_data(const ConvolutionBackwardData& op, const KernelRequest& request) {
  const Operand &dy = request.inputs[0], &dx = request.outputs[0];
  if (!serves(op.window, op.groups, dx, dy) || library_is_faster(op.window, dy.shape[1], dx.shape[1])) return nullptr;
  // Smaller results lie in the last cache when the product is done, and what a norm needs is read faster alone than
  // beside a product.
  if (op.norm && dx.shape.elements() < kFarResults) return nullptr;
  auto kernel = std::make_unique<PointwiseBackwardData>(op, request);
  if (op.norm && !kernel->has_pieces()) return nullptr;
  return kernel;
}

}  // namespace graft::cpu
