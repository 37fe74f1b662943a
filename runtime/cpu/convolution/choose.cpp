#include <algorithm>
#include <array>
#include <type_traits>
#include <vector>

#include "runtime/core/strided_copy.h"
#include "runtime/cpu/channel_statistics.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/norm_gradient_sums.h"
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

/// Measures what a convolution made, after it.
class MeasuredAfterwards final : public Kernel {
 public:
  MeasuredAfterwards(std::unique_ptr<Kernel> convolution, const Shape& y)
      : convolution_(std::move(convolution)),
        scratch_((convolution_->scratch_bytes() + 63) / 64 * 64),
        statistics_(y[0] * y[2] * y[3], y[1]) {}
  size_t scratch_bytes() const override { return std::max(scratch_, statistics_.scratch_bytes()); }
  void refresh() override { convolution_->refresh(); }
  void run(const KernelArguments& a) override {
    convolution_->run(a);
    statistics_.compute(static_cast<const float*>(a.outputs[0]), a.scratch, static_cast<float*>(a.outputs[1]),
                        static_cast<float*>(a.outputs[2]));
  }

 private:
  std::unique_ptr<Kernel> convolution_;
  size_t scratch_;
  ChannelStatistics statistics_;
};

/// Goes on through a norm after a convolution's gradient is whole.
class NormAfterwards final : public Kernel {
 public:
  NormAfterwards(std::unique_ptr<Kernel> convolution, const ConvolutionBackwardData& op)
      : convolution_(std::move(convolution)),
        epsilon_(op.norm->epsilon),
        sums_(op.input_shape[0] * op.input_shape[2] * op.input_shape[3], op.input_shape[1], op.norm->activation) {}
  size_t scratch_bytes() const override { return std::max(convolution_->scratch_bytes(), sums_.scratch_bytes()); }
  void refresh() override { convolution_->refresh(); }
  void run(const KernelArguments& a) override {
    const size_t first = a.inputs.size() - 4;
    convolution_->run({a.inputs.first(first), a.outputs.first(1), a.scratch, a.step});
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[first + i]); };
    auto* dz = static_cast<float*>(a.outputs[0]);
    sums_.compute({dz, in(1), in(2), in(0), dz}, a.scratch, in(3), epsilon_, static_cast<float*>(a.outputs[1]),
                  static_cast<float*>(a.outputs[2]));
  }

 private:
  std::unique_ptr<Kernel> convolution_;
  float epsilon_;
  NormGradientSums sums_;
};

std::unique_ptr<Kernel> forward(const Convolution& op, const KernelRequest& request) {
  if (op.statistics) {
    if (request.outputs[0].strides != channels_last_strides(request.outputs[0].shape))
      throw Error("statistics need channels-last results");
    for (const auto make : {split_forward, pointwise_forward})
      if (auto kernel = make(op, request)) return kernel;
    Convolution bare = op;
    bare.statistics = false;
    return std::make_unique<MeasuredAfterwards>(forward(bare, request), request.outputs[0].shape);
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
    return std::make_unique<NormAfterwards>(
        backward_data(bare, {bare, request.inputs.first(inputs), request.outputs.first(1), request.in_place_input}),
        op);
  }
  return first_that_serves<ConvolutionBackwardData>(
      op, request, {winograd_backward_data, split_backward_data, pointwise_backward_data, library_backward_data});
}

std::unique_ptr<Kernel> backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request) {
  return first_that_serves<ConvolutionBackwardWeights>(
      op, request, {winograd_backward_weights, split_backward_weights, product_backward_weights, weights_in_pieces});
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
