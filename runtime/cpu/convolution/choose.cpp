#include <algorithm>
#include <array>
#include <type_traits>
#include <vector>

#include "runtime/core/strided_copy.h"
#include "runtime/cpu/convolution/afterwards.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/ops/conv_transpose.h"

namespace graft::cpu {
namespace {

template <typename Op>
using Maker = std::unique_ptr<Kernel> (*)(const Op&, const KernelRequest&);

/// Weights that the graph computes, or is given, may lie channels-last as pictures do; kernels take them row-major.
class RowMajorWeights final : public Kernel {
 public:
  RowMajorWeights(const Operand& weights, std::unique_ptr<Kernel> convolution)
      : convolution_(std::move(convolution)),
        copy_(size_of(weights.dtype), weights.shape, weights.strides, plain_strides(weights.shape)),
        bytes_((static_cast<size_t>(weights.shape.elements()) * size_of(weights.dtype) + 63) / 64 * 64) {}
  size_t scratch_bytes() const override { return bytes_ + convolution_->scratch_bytes(); }
  void refresh() override { convolution_->refresh(); }
  void run(const KernelArguments& a) override {
    copy_.run(a.inputs[1], a.scratch);
    std::array<const void*, kMostInputs> inputs{};
    std::copy(a.inputs.begin(), a.inputs.end(), inputs.begin());
    inputs[1] = a.scratch;
    convolution_->run({std::span<const void* const>(inputs.data(), a.inputs.size()), a.outputs,
                       static_cast<std::byte*>(a.scratch) + bytes_, a.step});
  }
  static constexpr size_t kMostInputs = 8;

 private:
  std::unique_ptr<Kernel> convolution_;
  StridedCopy copy_;
  size_t bytes_;
};

/// The first of `makers` that serves the shape. Input 1 of a convolution and of its gradient of the input are weights.
template <typename Op>
std::unique_ptr<Kernel> first_that_serves(const Op& op, const KernelRequest& request,
                                          std::initializer_list<Maker<Op>> makers) {
  require_f32(request);
  constexpr bool reads_weights = !std::is_same_v<Op, ConvolutionBackwardWeights>;
  if (reads_weights && !is_row_major(request.inputs[1].shape, request.inputs[1].strides) &&
      request.inputs.size() <= RowMajorWeights::kMostInputs) {
    std::vector<Operand> inputs(request.inputs.begin(), request.inputs.end());
    inputs[1].strides = plain_strides(inputs[1].shape);
    inputs[1].constant = nullptr;
    return std::make_unique<RowMajorWeights>(
        request.inputs[1],
        first_that_serves(op, {request.op, inputs, request.outputs, request.in_place_input}, makers));
  }
  return guarded([&]() -> std::unique_ptr<Kernel> {
    for (const Maker<Op> make : makers)
      if (auto kernel = make(op, request)) return kernel;
    return nullptr;
  });
}

struct FloatRows {
  using Number = float;
  static void measure(const ChannelStatistics& statistics, const float* y, void* scratch, float* mean,
                      float* variance) {
    statistics.compute(y, scratch, mean, variance);
  }
  static void sum(const NormGradientSums& sums, float* dz, const float* u, const float* mean, const float* x,
                  void* scratch, const float* variance, float epsilon, float* d_scale, float* d_bias) {
    sums.compute({dz, u, mean, x, dz}, scratch, variance, epsilon, d_scale, d_bias);
  }
};

std::unique_ptr<Kernel> forward(const Convolution& op, const KernelRequest& request) {
  if (op.statistics) {
    if (request.outputs[0].strides != channels_last_strides(request.outputs[0].shape))
      throw Error("statistics need channels-last results");
    for (const auto make : {split_forward, pointwise_forward})
      if (auto kernel = make(op, request)) return kernel;
    Convolution bare = op;
    bare.statistics = false;
    return std::make_unique<MeasuredAfterwards<FloatRows>>(forward(bare, request), request.outputs[0].shape);
  }
  return first_that_serves<Convolution>(op, request,
                                        {winograd_forward, split_forward, pointwise_forward, library_forward});
}

std::unique_ptr<Kernel> backward_data(const ConvolutionBackwardData& op, const KernelRequest& request) {
  if (op.norm) {
    if (request.outputs[0].strides != channels_last_strides(request.outputs[0].shape))
      throw Error("a norm's gradient needs channels-last results");
    for (const auto make : {split_backward_data, pointwise_backward_data})
      if (auto kernel = make(op, request)) return kernel;
    ConvolutionBackwardData bare = op;
    bare.norm.reset();
    const size_t inputs = request.inputs.size() - 4;
    return std::make_unique<NormAfterwards<FloatRows>>(
        backward_data(bare, {bare, request.inputs.first(inputs), request.outputs.first(1), request.in_place_input}),
        op);
  }
  return first_that_serves<ConvolutionBackwardData>(
      op, request, {winograd_backward_data, split_backward_data, pointwise_backward_data, library_backward_data});
}

std::unique_ptr<Kernel> backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request) {
  return first_that_serves<ConvolutionBackwardWeights>(
      op, request,
      {winograd_backward_weights, split_backward_weights, product_backward_weights, depthwise_backward_weights,
       weights_in_pieces});
}

/// The same sums as a convolution's gradient of its input.
std::unique_ptr<Kernel> transposed(const ConvTranspose& op, const KernelRequest& request) {
  ConvolutionBackwardData gradient;
  gradient.window = op.window;
  gradient.groups = op.groups;
  gradient.input_shape = request.outputs[0].shape;
  return backward_data(gradient, {gradient, request.inputs, request.outputs, request.in_place_input});
}

}  // namespace

void register_convolution(KernelTable& table) {
  table.add<Convolution>(forward);
  table.add<ConvolutionBackwardData>(backward_data);
  table.add<ConvolutionBackwardWeights>(backward_weights);
  table.add<ConvTranspose>(transposed);
}

}  // namespace graft::cpu
