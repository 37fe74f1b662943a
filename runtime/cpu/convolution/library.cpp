#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "runtime/core/parallel.h"
#include "runtime/core/thread_limit.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/convolution/parts.h"
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

/// The weights of all parts: one copy for each order that one of them wants, which may differ by its size.
class WeightsOfParts {
 public:
  explicit WeightsOfParts(const memory::desc& plain) : plain_(plain) {}
  const memory& as(const memory::desc& wanted) {
    for (const auto& [desc, weights] : copies_)
      if (desc == wanted) return weights.get();
    return copies_.emplace_back(wanted, ReorderedWeights(plain_, wanted)).second.get();
  }
  void pack(const void* source) {
    for (auto& [desc, weights] : copies_) weights.pack(source);
  }
  void bind(const void* source) {
    for (auto& [desc, weights] : copies_) weights.bind(source);
  }

 private:
  memory::desc plain_;
  std::vector<std::pair<memory::desc, ReorderedWeights>> copies_;
};

class ConvolutionKernel final : public Kernel {
 public:
  ConvolutionKernel(const Convolution& op, const KernelRequest& request)
      : ConvolutionKernel(op, request, parts(op, request)) {}

  size_t scratch_bytes() const override { return primitives_.scratch_bytes(); }
  void refresh() override {
    if (constant_weights_) weights_.pack(constant_weights_->raw());
  }

  void run(const KernelArguments& a) override {
    if (!constant_weights_) weights_.pack(a.inputs[1]);
    auto* const y = static_cast<float*>(a.outputs[0]);
    if (has_residual_ && !residual_in_place_)
      std::memcpy(y, a.inputs[3], static_cast<size_t>(output_elements_) * sizeof(float));
    weights_.bind(a.inputs[1]);
    if (bias_) bias_.set_data_handle(const_cast<void*>(a.inputs[2]));
    primitives_.run(static_cast<const float*>(a.inputs[0]), y, a.scratch, [&](int64_t p) {
      if (pieces_.empty() || activation_.kind == Activation::Kind::none) return;
      const auto [offset, elements] = pieces_[static_cast<size_t>(p)];
      vector_loops().activate(elements, y + offset, activation_, y + offset);
    });
    if (pieces_.empty()) activate_result(activation_, y, output_elements_);
  }

 private:
  static int64_t products(const KernelRequest& request) {
    const Shape &w = request.inputs[1].shape, &y = request.outputs[0].shape;
    return y.elements() * w.elements() / w[0];
  }
  static std::vector<Part> parts(const Convolution& op, const KernelRequest& request) {
    const Operand &x = request.inputs[0], &y = request.outputs[0];
    auto divided = parts_of_convolution(op.window, x, y, products(request));
    if (divided.empty()) divided.push_back({x, y, op.window});
    return divided;
  }
  ConvolutionKernel(const Convolution& op, const KernelRequest& request, const std::vector<Part>& parts)
      : activation_(op.tail.activation),
        residual_in_place_(request.in_place_input >= 0),
        has_residual_(op.tail.residual),
        output_elements_(request.outputs[0].shape.elements()),
        constant_weights_(request.inputs[1].constant),
        weights_(plain_weights(request.inputs[1].shape, op.groups)),
        // What is little and has no parts is no work for two.
        primitives_(parts.size(), products(request) < kLittle ? 1 : thread_count()) {
    const Operand &w = request.inputs[1], &y = request.outputs[0];
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::post_ops tail;
    if (has_residual_) tail.append_sum(1.0f);
    attributes.set_post_ops(tail);
    const memory::desc bias_desc(memory::dims{y.shape[1]}, memory::data_type::f32, memory::format_tag::a);
    if (request.inputs.size() > 2 && request.inputs[2].present) bias_ = unbound(bias_desc);
    const auto limit = primitives_.while_describing();
    using Forward = dnnl::convolution_forward;
    const auto kind = dnnl::prop_kind::forward_inference;
    const auto algorithm = dnnl::algorithm::convolution_direct;
    const auto weights = any_layout(grouped_weight_shape(w.shape, op.groups));
    for (const Part& part : parts) {
      const auto source = describe_operand(part.x), target = describe_operand(part.y);
      const Geometry g = geometry(part.window);
      const auto description =
          bias_ ? Forward::primitive_desc(engine(), kind, algorithm, source, weights, bias_desc, target, g.stride,
                                          g.dilation, g.before, g.after, attributes)
                : Forward::primitive_desc(engine(), kind, algorithm, source, weights, target, g.stride, g.dilation,
                                          g.before, g.after, attributes);
      PrimitiveArguments& arguments =
          primitives_.add(Forward(description), {DNNL_ARG_SRC, source, part.x_offset},
                          {DNNL_ARG_DST, target, part.y_offset}, description.scratchpad_desc());
      arguments.add(DNNL_ARG_WEIGHTS, weights_.as(description.weights_desc()));
      if (bias_) arguments.add(DNNL_ARG_BIAS, bias_);
    }
    if (primitives_.several() && y.strides == channels_last_strides(y.shape))
      for (const Part& part : parts) pieces_.emplace_back(part.y_offset, part.y.shape.elements());
    refresh();
  }

  static constexpr int64_t kLittle = 1 << 22;

  Activation activation_;
  bool residual_in_place_, has_residual_;
  int64_t output_elements_;
  const Tensor* constant_weights_;
  memory bias_;
  WeightsOfParts weights_;
  PrimitiveParts primitives_;
  /// Where each part's results lie in one piece, and how many they are; empty where they do not, or there is one part.
  std::vector<std::pair<int64_t, int64_t>> pieces_;
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
      : tail_(op.tail),
        elements_(request.outputs[0].shape.elements()),
        constant_weights_(request.inputs[1].constant),
        weights_(plain_weights(request.inputs[1].shape, op.groups)),
        primitives_(static_cast<size_t>(parts(request)), thread_count()) {
    const Operand &dy = request.inputs[0], &w = request.inputs[1], &dx = request.outputs[0];
    const Geometry g = geometry(op.window);
    const auto limit = primitives_.while_describing();
    const auto weights = any_layout(grouped_weight_shape(w.shape, op.groups));
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    for (const Part& part : parts_of_images(op.window, dx, dy, parts(request))) {
      const auto source = describe_operand(part.x), target = describe_operand(part.y);
      const dnnl::convolution_backward_data::primitive_desc description(
          engine(), dnnl::algorithm::convolution_direct, source, weights, target, g.stride, g.dilation, g.before,
          g.after, forward_hint(source, weights, target, g), attributes);
      primitives_
          .add(dnnl::convolution_backward_data(description), {DNNL_ARG_DIFF_DST, target, part.y_offset},
               {DNNL_ARG_DIFF_SRC, source, part.x_offset}, description.scratchpad_desc())
          .add(DNNL_ARG_WEIGHTS, weights_.as(description.weights_desc()));
    }
    refresh();
  }
  // oneDNN's gradients take no tail: with one, the bare gradient goes to scratch memory first.
  size_t scratch_bytes() const override {
    return primitives_.scratch_bytes() + (tail_.empty() ? 0 : static_cast<size_t>(elements_) * sizeof(float));
  }
  void refresh() override {
    if (constant_weights_) weights_.pack(constant_weights_->raw());
  }
  void run(const KernelArguments& a) override {
    if (!constant_weights_) weights_.pack(a.inputs[1]);
    weights_.bind(a.inputs[1]);
    auto* const dx = static_cast<float*>(a.outputs[0]);
    float* const bare =
        tail_.empty() ? dx : reinterpret_cast<float*>(static_cast<std::byte*>(a.scratch) + primitives_.scratch_bytes());
    primitives_.run(static_cast<const float*>(a.inputs[0]), bare, a.scratch, [](int64_t) {});
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
  static int64_t parts(const KernelRequest& request) { return std::min(request.outputs[0].shape[0], kMostParts); }

  Epilogue tail_;
  int64_t elements_;
  const Tensor* constant_weights_;
  WeightsOfParts weights_;
  PrimitiveParts primitives_;
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
