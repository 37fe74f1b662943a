// Ungrouped convolutions of any window and their gradients of the input, on matrix units that multiply bfloat16, to
// float32's accuracy.
#include <algorithm>
#include <optional>

#include "runtime/cpu/channel_statistics.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/convolution/split_product.h"
#include "runtime/cpu/convolution/winograd_tiles.h"
#include "runtime/cpu/norm_gradient_sums.h"
#include "runtime/cpu/packed_weights.h"

namespace graft::cpu {
namespace {

/// With fewer pixels, reading the weights is what takes time, and in parts they are half as long again.
constexpr int64_t kFewestPixels = 256;

bool serves(const Window2d& window, int64_t groups, const Operand& source, const Operand& result) {
  return split_tiles() && has_whole_vectors(groups, source, result) && !winograd_pays(window, groups, source, result);
}

/// While blocks are in the cache, or afterwards.
void run_and_see(const SplitProductOverPixels& product, const float* source, const float* packed, const TileTail& tail,
                 float* result, void* scratch, const SplitProductOverPixels::AfterBlock& after,
                 std::array<const float*, 2> beside) {
  if (product.has_pieces()) return product.run(source, packed, tail, result, scratch, &after, beside);
  product.run(source, packed, tail, result, scratch);
  product.see_all(after);
}

class SplitForward final : public Kernel {
 public:
  SplitForward(const Convolution& op, const KernelRequest& request)
      : product_(request.inputs[0].shape, request.outputs[0].shape,
                 SplitProductOverPixels::forward(op.window, request.outputs[0].shape), strides(op.window, request)),
        weights_(request.inputs[1], product_.packed_elements(),
                 [product = product_](const float* w, float* packed) { product.pack(w, packed); }),
        has_bias_(request.inputs.size() > 2 && request.inputs[2].present),
        tail_(op.tail) {
    if (op.statistics) statistics_.emplace(pixels(request.outputs[0]), request.outputs[0].shape[1]);
  }
  size_t scratch_bytes() const override {
    return weights_.scratch_bytes() + product_.scratch_bytes() + (statistics_ ? statistics_->scratch_bytes() : 0);
  }
  void run(const KernelArguments& a) override {
    const float* packed = weights_.get(a.inputs[1], a.scratch);
    const TileTail tail = tail_of(tail_, has_bias_, a);
    std::byte* const scratch = static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes();
    const auto* x = static_cast<const float*>(a.inputs[0]);
    auto* y = static_cast<float*>(a.outputs[0]);
    if (!statistics_) return product_.run(x, packed, tail, y, scratch);
    const Measure measure(*statistics_, y, product_.columns(), scratch + product_.scratch_bytes());
    run_and_see(product_, x, packed, tail, y, scratch, measure, {});
    statistics_->finish(scratch + product_.scratch_bytes(), static_cast<float*>(a.outputs[1]),
                        static_cast<float*>(a.outputs[2]));
  }

 private:
  class Measure final : public SplitProductOverPixels::AfterBlock {
   public:
    Measure(const ChannelStatistics& statistics, const float* y, int64_t channels, void* sums)
        : statistics_(statistics), y_(y), channels_(channels), sums_(sums) {}
    void see(int64_t piece, int64_t row, int64_t rows) const override {
      statistics_.add(piece, row, y_ + row * channels_, rows, sums_);
    }

   private:
    const ChannelStatistics& statistics_;
    const float* y_;
    int64_t channels_;
    void* sums_;
  };
  static SplitProductOverPixels::WeightStrides strides(const Window2d& window, const KernelRequest& request) {
    const int64_t taps = window.kernel.height * window.kernel.width;
    return {taps, taps * request.inputs[0].shape[1]};
  }

  SplitProductOverPixels product_;
  PackedWeights weights_;
  bool has_bias_;
  Epilogue tail_;
  std::optional<ChannelStatistics> statistics_;
};

class SplitBackwardData final : public Kernel {
 public:
  SplitBackwardData(const ConvolutionBackwardData& op, const KernelRequest& request)
      : product_(request.inputs[0].shape, request.outputs[0].shape,
                 SplitProductOverPixels::backward(op.window, request.outputs[0].shape), strides(op.window, request),
                 op.norm ? 2 : 0),
        weights_(request.inputs[1], product_.packed_elements(),
                 [product = product_](const float* w, float* packed) { product.pack(w, packed); }),
        tail_(op.tail),
        norm_(op.norm) {
    if (norm_) sums_.emplace(pixels(request.outputs[0]), request.outputs[0].shape[1], norm_->activation);
  }
  size_t scratch_bytes() const override {
    return weights_.scratch_bytes() + product_.scratch_bytes() + (sums_ ? sums_->scratch_bytes() : 0);
  }
  void run(const KernelArguments& a) override {
    const float* packed = weights_.get(a.inputs[1], a.scratch);
    const auto* dy = static_cast<const float*>(a.inputs[0]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    const TileTail tail{nullptr, tail_.residual ? static_cast<const float*>(a.inputs[2]) : nullptr, tail_.activation};
    std::byte* const scratch = static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes();
    if (!norm_) return product_.run(dy, packed, tail, dx, scratch);
    const size_t first = a.inputs.size() - 4;
    const auto norm_input = [&](size_t i) { return static_cast<const float*>(a.inputs[first + i]); };
    void* const sums = scratch + product_.scratch_bytes();
    const NormGradientSums::Arrays arrays{dx, norm_input(1), norm_input(2), norm_input(0), dx};
    const AddToSums add(*sums_, arrays, sums);
    run_and_see(product_, dy, packed, tail, dx, scratch, add, {arrays.x, arrays.y});
    sums_->finish(sums, norm_input(3), norm_->epsilon, static_cast<float*>(a.outputs[1]),
                  static_cast<float*>(a.outputs[2]));
  }

 private:
  class AddToSums final : public SplitProductOverPixels::AfterBlock {
   public:
    AddToSums(const NormGradientSums& norm, const NormGradientSums::Arrays& arrays, void* sums)
        : norm_(norm), arrays_(arrays), sums_(sums) {}
    void see(int64_t piece, int64_t row, int64_t rows) const override { norm_.add(piece, row, rows, arrays_, sums_); }

   private:
    const NormGradientSums& norm_;
    const NormGradientSums::Arrays& arrays_;
    void* sums_;
  };
  static SplitProductOverPixels::WeightStrides strides(const Window2d& window, const KernelRequest& request) {
    const int64_t taps = window.kernel.height * window.kernel.width;
    return {taps * request.outputs[0].shape[1], taps};
  }

  SplitProductOverPixels product_;
  PackedWeights weights_;
  Epilogue tail_;
  std::optional<ConvolutionBackwardData::Norm> norm_;
  std::optional<NormGradientSums> sums_;
};

}  // namespace

std::unique_ptr<Kernel> split_forward(const Convolution& op, const KernelRequest& request) {
  if (!serves(op.window, op.groups, request.inputs[0], request.outputs[0]) ||
      pixels(request.outputs[0]) < kFewestPixels)
    return nullptr;
  return std::make_unique<SplitForward>(op, request);
}

std::unique_ptr<Kernel> split_backward_data(const ConvolutionBackwardData& op, const KernelRequest& request) {
  if (!serves(op.window, op.groups, request.inputs[0], request.outputs[0])) return nullptr;
  // What is not pointwise would be oneDNN's, whose sums of strided gradients depend on the number of threads where it
  // has this processor's instructions (decision 11).
  const bool pointwise = op.window.kernel.height == 1 && op.window.kernel.width == 1;
  if (pointwise && pixels(request.outputs[0]) < kFewestPixels) return nullptr;
  return std::make_unique<SplitBackwardData>(op, request);
}

}  // namespace graft::cpu
