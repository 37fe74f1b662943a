#include <cstring>

#include "runtime/core/parallel.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {
namespace {

using dnnl::memory;

struct Geometry {
  memory::dims stride, dilation, before, after;
};

Geometry geometry(const Window2d& w) {
  return {{w.stride.height, w.stride.width},
          {w.dilation.height - 1, w.dilation.width - 1},
          {w.padding.top, w.padding.left},
          {w.padding.bottom, w.padding.right}};
}

Shape grouped_weight_shape(const Shape& w, int64_t groups) {
  return groups == 1 ? w : Shape{groups, w[0] / groups, w[1], w[2], w[3]};
}

memory::desc plain_weights(const Shape& w, int64_t groups) {
  const Shape shape = grouped_weight_shape(w, groups);
  const Strides strides = plain_strides(shape);
  return {memory::dims(shape.begin(), shape.end()), memory::data_type::f32,
          memory::dims(strides.begin(), strides.end())};
}

/// Weights in the order the primitive wants: the caller's own when that is row-major, else a packed copy.
class ReorderedWeights {
 public:
  ReorderedWeights() = default;
  ReorderedWeights(const memory::desc& plain, const memory::desc& wanted)
      : plain_(unbound(plain)), memory_(unbound(wanted)) {
    if (plain == wanted) return;
    packed_ = memory(wanted, engine());
    memory_ = packed_;
    reorder_ = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), plain, engine(), wanted));
    arguments_.add(DNNL_ARG_FROM, plain_);
    arguments_.add(DNNL_ARG_TO, packed_);
  }
  void pack(const void* source) {
    if (!packed_) return;
    plain_.set_data_handle(const_cast<void*>(source));
    arguments_.execute(reorder_);
    stream().wait();
  }
  /// What the primitive reads; the same after each pack().
  const memory& get() const { return memory_; }
  /// Weights that are not packed are read where they lie.
  void bind(const void* source) {
    if (!packed_) memory_.set_data_handle(const_cast<void*>(source));
  }

 private:
  memory plain_, memory_, packed_;
  dnnl::reorder reorder_;
  PrimitiveArguments arguments_;
};

class ConvolutionKernel final : public Kernel {
 public:
  ConvolutionKernel(const Convolution& op, const KernelRequest& request)
      : activation_(op.tail.activation),
        residual_in_place_(request.in_place_input >= 0),
        has_residual_(op.tail.residual) {
    const Operand &x = request.inputs[0], &w = request.inputs[1], &y = request.outputs[0];
    const bool bias = request.inputs.size() > 2 && request.inputs[2].present;
    const Geometry g = geometry(op.window);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::post_ops tail;
    if (has_residual_) tail.append_sum(1.0f);
    attributes.set_post_ops(tail);
    const auto source = describe_operand(x), target = describe_operand(y),
               weights = any_layout(grouped_weight_shape(w.shape, op.groups));
    const memory::desc bias_desc(memory::dims{y.shape[1]}, memory::data_type::f32, memory::format_tag::a);
    using Forward = dnnl::convolution_forward;
    const auto kind = dnnl::prop_kind::forward_inference;
    const auto algorithm = dnnl::algorithm::convolution_direct;
    const auto description = bias ? Forward::primitive_desc(engine(), kind, algorithm, source, weights, bias_desc,
                                                            target, g.stride, g.dilation, g.before, g.after, attributes)
                                  : Forward::primitive_desc(engine(), kind, algorithm, source, weights, target,
                                                            g.stride, g.dilation, g.before, g.after, attributes);
    primitive_ = Forward(description);
    source_ = unbound(source);
    target_ = unbound(target);
    bias_ = bias ? unbound(bias_desc) : memory();
    scratch_ = unbound(description.scratchpad_desc());
    output_bytes_ = description.dst_desc().get_size();
    weights_ = ReorderedWeights(plain_weights(w.shape, op.groups), description.weights_desc());
    constant_weights_ = w.constant;
    if (w.constant) weights_.pack(w.constant->raw());
    arguments_.add(DNNL_ARG_SRC, source_);
    arguments_.add(DNNL_ARG_WEIGHTS, weights_.get());
    arguments_.add(DNNL_ARG_DST, target_);
    arguments_.add(DNNL_ARG_SCRATCHPAD, scratch_);
    if (bias_) arguments_.add(DNNL_ARG_BIAS, bias_);
  }

  size_t scratch_bytes() const override { return scratch_.get_desc().get_size(); }
  void refresh() override {
    if (constant_weights_) weights_.pack(constant_weights_->raw());
  }

  void run(const KernelArguments& a) override {
    if (!constant_weights_) weights_.pack(a.inputs[1]);
    if (has_residual_ && !residual_in_place_) std::memcpy(a.outputs[0], a.inputs[3], output_bytes_);
    source_.set_data_handle(const_cast<void*>(a.inputs[0]));
    target_.set_data_handle(a.outputs[0]);
    scratch_.set_data_handle(a.scratch);
    weights_.bind(a.inputs[1]);
    if (bias_) bias_.set_data_handle(const_cast<void*>(a.inputs[2]));
    arguments_.execute(primitive_);
    activate_result(activation_, a.outputs[0], static_cast<int64_t>(output_bytes_ / sizeof(float)));
  }

 private:
  Activation activation_;
  bool residual_in_place_, has_residual_;
  size_t output_bytes_ = 0;
  const Tensor* constant_weights_ = nullptr;
  dnnl::convolution_forward primitive_;
  memory source_, target_, bias_, scratch_;
  ReorderedWeights weights_;
  PrimitiveArguments arguments_;
};

/// The forward description that oneDNN wants as a hint for the backward ones.
dnnl::convolution_forward::primitive_desc forward_hint(const memory::desc& x, const memory::desc& w,
                                                       const memory::desc& y, const Geometry& g) {
  return {engine(),
          dnnl::prop_kind::forward_training,
          dnnl::algorithm::convolution_direct,
          x,
          w,
          y,
          g.stride,
          g.dilation,
          g.before,
          g.after};
}

class BackwardDataKernel final : public Kernel {
 public:
  BackwardDataKernel(const ConvolutionBackwardData& op, const KernelRequest& request)
      : tail_(op.tail), elements_(request.outputs[0].shape.elements()) {
    const Operand &dy = request.inputs[0], &w = request.inputs[1], &dx = request.outputs[0];
    const Geometry g = geometry(op.window);
    const auto source = describe_operand(dx), target = describe_operand(dy),
               weights = any_layout(grouped_weight_shape(w.shape, op.groups));
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::convolution_backward_data::primitive_desc description(
        engine(), dnnl::algorithm::convolution_direct, source, weights, target, g.stride, g.dilation, g.before, g.after,
        forward_hint(source, weights, target, g), attributes);
    primitive_ = dnnl::convolution_backward_data(description);
    source_ = unbound(source);
    target_ = unbound(target);
    scratch_ = unbound(description.scratchpad_desc());
    own_scratch_ = (scratch_.get_desc().get_size() + 63) / 64 * 64;
    weights_ = ReorderedWeights(plain_weights(w.shape, op.groups), description.weights_desc());
    constant_weights_ = w.constant;
    if (w.constant) weights_.pack(w.constant->raw());
    arguments_.add(DNNL_ARG_DIFF_SRC, source_);
    arguments_.add(DNNL_ARG_WEIGHTS, weights_.get());
    arguments_.add(DNNL_ARG_DIFF_DST, target_);
    arguments_.add(DNNL_ARG_SCRATCHPAD, scratch_);
  }
  // oneDNN's gradients take no tail: with one, the bare gradient goes to scratch memory first.
  size_t scratch_bytes() const override {
    return own_scratch_ + (tail_.empty() ? 0 : static_cast<size_t>(elements_) * sizeof(float));
  }
  void refresh() override {
    if (constant_weights_) weights_.pack(constant_weights_->raw());
  }
  void run(const KernelArguments& a) override {
    if (!constant_weights_) weights_.pack(a.inputs[1]);
    target_.set_data_handle(const_cast<void*>(a.inputs[0]));
    auto* const dx = static_cast<float*>(a.outputs[0]);
    float* const bare =
        tail_.empty() ? dx : reinterpret_cast<float*>(static_cast<std::byte*>(a.scratch) + own_scratch_);
    source_.set_data_handle(bare);
    scratch_.set_data_handle(a.scratch);
    weights_.bind(a.inputs[1]);
    arguments_.execute(primitive_);
    if (tail_.empty()) return;
    parallel_for(elements_, 1 << 14, [&](int64_t first, int64_t last) {
      if (tail_.residual)
        vector_loops().add(last - first, bare + first, static_cast<const float*>(a.inputs[2]) + first, tail_.activation,
                           dx + first);
      else
        vector_loops().activate(last - first, bare + first, tail_.activation, dx + first);
    });
  }

 private:
  Epilogue tail_;
  int64_t elements_;
  size_t own_scratch_ = 0;
  const Tensor* constant_weights_ = nullptr;
  dnnl::convolution_backward_data primitive_;
  memory source_, target_, scratch_;
  ReorderedWeights weights_;
  PrimitiveArguments arguments_;
};

class BackwardWeightsKernel final : public Kernel {
 public:
  BackwardWeightsKernel(const ConvolutionBackwardWeights& op, const KernelRequest& request) {
    const Operand &x = request.inputs[0], &dy = request.inputs[1];
    const Geometry g = geometry(op.window);
    const auto source = describe_operand(x), target = describe_operand(dy),
               weights = any_layout(grouped_weight_shape(op.weight_shape, op.groups));
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    using Backward = dnnl::convolution_backward_weights;
    const auto hint = forward_hint(source, weights, target, g);
    const memory::desc bias_desc(memory::dims{dy.shape[1]}, memory::data_type::f32, memory::format_tag::a);
    const auto algorithm = dnnl::algorithm::convolution_direct;
    const auto description = op.bias
                                 ? Backward::primitive_desc(engine(), algorithm, source, weights, bias_desc, target,
                                                            g.stride, g.dilation, g.before, g.after, hint, attributes)
                                 : Backward::primitive_desc(engine(), algorithm, source, weights, target, g.stride,
                                                            g.dilation, g.before, g.after, hint, attributes);
    primitive_ = Backward(description);
    source_ = unbound(source);
    target_ = unbound(target);
    bias_ = op.bias ? unbound(bias_desc) : memory();
    scratch_ = unbound(description.scratchpad_desc());
    packed_desc_ = description.diff_weights_desc();
    plain_ = unbound(plain_weights(op.weight_shape, op.groups));
    packed_ = unbound(packed_desc_);
    needs_reorder_ = packed_desc_ != plain_.get_desc();
    if (needs_reorder_)
      reorder_ = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), packed_desc_, engine(), plain_.get_desc()));
    own_scratch_ = (scratch_.get_desc().get_size() + 63) / 64 * 64;
    arguments_.add(DNNL_ARG_SRC, source_);
    arguments_.add(DNNL_ARG_DIFF_DST, target_);
    arguments_.add(DNNL_ARG_DIFF_WEIGHTS, needs_reorder_ ? packed_ : plain_);
    arguments_.add(DNNL_ARG_SCRATCHPAD, scratch_);
    if (bias_) arguments_.add(DNNL_ARG_DIFF_BIAS, bias_);
    reorder_arguments_.add(DNNL_ARG_FROM, packed_);
    reorder_arguments_.add(DNNL_ARG_TO, plain_);
  }
  size_t scratch_bytes() const override { return own_scratch_ + (needs_reorder_ ? packed_desc_.get_size() : 0); }
  void run(const KernelArguments& a) override {
    source_.set_data_handle(const_cast<void*>(a.inputs[0]));
    target_.set_data_handle(const_cast<void*>(a.inputs[1]));
    scratch_.set_data_handle(a.scratch);
    plain_.set_data_handle(a.outputs[0]);
    if (needs_reorder_) packed_.set_data_handle(static_cast<std::byte*>(a.scratch) + own_scratch_);
    if (bias_) bias_.set_data_handle(a.outputs[1]);
    arguments_.execute(primitive_);
    if (needs_reorder_) reorder_arguments_.execute(reorder_);
  }

 private:
  bool needs_reorder_ = false;
  size_t own_scratch_ = 0;
  dnnl::convolution_backward_weights primitive_;
  memory::desc packed_desc_;
  memory source_, target_, bias_, scratch_, plain_, packed_;
  dnnl::reorder reorder_;
  PrimitiveArguments arguments_, reorder_arguments_;
};

}  // namespace

std::unique_ptr<Kernel> library_forward(const Convolution& op, const KernelRequest& request) {
  return std::make_unique<ConvolutionKernel>(op, request);
}

std::unique_ptr<Kernel> library_backward_data(const ConvolutionBackwardData& op, const KernelRequest& request) {
  return std::make_unique<BackwardDataKernel>(op, request);
}

std::unique_ptr<Kernel> library_backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request) {
  return std::make_unique<BackwardWeightsKernel>(op, request);
}

}  // namespace graft::cpu
