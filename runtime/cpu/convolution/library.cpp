#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "runtime/core/parallel.h"
#include "runtime/core/thread_limit.h"
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

/// Part of a picture, or of a batch of them, that one of oneDNN's primitives computes in one thread. Parts follow from
/// the shape alone: oneDNN chooses its kernels, and with them the order of its sums, by what it is given, and the
/// number of threads must not change a bit.
struct Part {
  Operand x, y;
  Window2d window;
  int64_t x_offset = 0, y_offset = 0;  // elements
};

constexpr int64_t kMostParts = 16;  // of a batch

/// Some images of a batch each, as even as can be.
std::vector<Part> parts_of_images(const Window2d& window, const Operand& x, const Operand& y, int64_t count) {
  std::vector<Part> parts;
  const int64_t images = x.shape[0];
  for (int64_t p = 0; p < count; ++p) {
    const int64_t first = images * p / count, size = images * (p + 1) / count - first;
    Part& part = parts.emplace_back(Part{x, y, window, first * x.strides[0], first * y.strides[0]});
    part.x.shape[0] = part.y.shape[0] = size;
  }
  return parts;
}

/// What threads share of a convolution: images where there are enough, else rows of each. Empty where rows do not lie
/// in one piece, or a part would see nothing but padding.
std::vector<Part> parts_of_convolution(const Window2d& window, const Operand& x, const Operand& y, int64_t products) {
  // Powers of two, which most numbers of threads share evenly; a part is some tens of microseconds.
  constexpr int64_t kFewestRows = 3, kMostOfAPicture = 8, kProducts = 1 << 21, kElements = 1 << 16;
  const int64_t images = x.shape[0], height = x.shape[2], rows = y.shape[2];
  const int64_t worth = products / kProducts + (x.shape.elements() + y.shape.elements()) / kElements;
  if (images >= kMostOfAPicture)
    return parts_of_images(window, x, y, std::clamp<int64_t>(worth, 1, std::min(images, kMostParts)));
  const auto wanted = std::bit_ceil(static_cast<uint64_t>(std::clamp<int64_t>(worth, 1, kMostOfAPicture)));
  if (images >= static_cast<int64_t>(wanted)) return parts_of_images(window, x, y, static_cast<int64_t>(wanted));
  if (x.strides != channels_last_strides(x.shape) || y.strides != channels_last_strides(y.shape)) return {};
  std::vector<Part> parts;
  const auto most = std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(rows / kFewestRows, 1)));
  const auto count = static_cast<int64_t>(
      std::min(std::bit_ceil((wanted + static_cast<uint64_t>(images) - 1) / static_cast<uint64_t>(images)), most));
  for (int64_t image = 0; image < images; ++image)
    for (int64_t p = 0; p < count; ++p) {
      const int64_t first = rows * p / count, last = rows * (p + 1) / count;
      const int64_t begin = first * window.stride.height - window.padding.top,
                    end = (last - 1) * window.stride.height - window.padding.top +
                          (window.kernel.height - 1) * window.dilation.height + 1;
      const int64_t from = std::max<int64_t>(begin, 0), to = std::min(end, height);
      if (from >= to) return {};
      Part& part = parts.emplace_back(
          Part{x, y, window, image * x.strides[0] + from * x.strides[2], image * y.strides[0] + first * y.strides[2]});
      part.x.shape[0] = part.y.shape[0] = 1;
      part.x.shape[2] = to - from;
      part.y.shape[2] = last - first;
      // A picture of its own: oneDNN has no fast kernel for one whose images would lie further apart.
      part.x.strides = channels_last_strides(part.x.shape);
      part.y.strides = channels_last_strides(part.y.shape);
      part.window.padding.top = from - begin;
      part.window.padding.bottom = end - to;
    }
  return parts;
}

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
      : activation_(op.tail.activation),
        residual_in_place_(request.in_place_input >= 0),
        has_residual_(op.tail.residual),
        weights_(plain_weights(request.inputs[1].shape, op.groups)) {
    const Operand &x = request.inputs[0], &w = request.inputs[1], &y = request.outputs[0];
    const bool bias = request.inputs.size() > 2 && request.inputs[2].present;
    const int64_t products = y.shape.elements() * w.shape.elements() / w.shape[0];
    auto parts = parts_of_convolution(op.window, x, y, products);
    if (parts.empty()) parts.push_back({x, y, op.window});
    threads_ = std::min<int64_t>(std::ssize(parts), thread_count());
    in_parts_ = parts.size() > 1;
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::post_ops tail;
    if (has_residual_) tail.append_sum(1.0f);
    attributes.set_post_ops(tail);
    const memory::desc bias_desc(memory::dims{y.shape[1]}, memory::data_type::f32, memory::format_tag::a);
    bias_ = bias ? unbound(bias_desc) : memory();
    // oneDNN fixes in a primitive how many threads run it. What is little and has no parts is no work for two.
    constexpr int64_t kLittle = 1 << 22;
    primitive_threads_ = in_parts_ || products < kLittle ? 1 : thread_count();
    const ThreadLimit limit(primitive_threads_);
    using Forward = dnnl::convolution_forward;
    const auto weights = any_layout(grouped_weight_shape(w.shape, op.groups));
    for (const Part& part : parts) {
      const auto source = describe_operand(part.x), target = describe_operand(part.y);
      const Geometry g = geometry(part.window);
      const auto kind = dnnl::prop_kind::forward_inference;
      const auto algorithm = dnnl::algorithm::convolution_direct;
      const auto description =
          bias ? Forward::primitive_desc(engine(), kind, algorithm, source, weights, bias_desc, target, g.stride,
                                         g.dilation, g.before, g.after, attributes)
               : Forward::primitive_desc(engine(), kind, algorithm, source, weights, target, g.stride, g.dilation,
                                         g.before, g.after, attributes);
      Compiled& compiled = parts_.emplace_back(Compiled{Forward(description),
                                                        unbound(source),
                                                        unbound(target),
                                                        unbound(description.scratchpad_desc()),
                                                        {},
                                                        part.x_offset,
                                                        part.y_offset,
                                                        part.y.shape.elements()});
      compiled.arguments.add(DNNL_ARG_SRC, compiled.source);
      compiled.arguments.add(DNNL_ARG_WEIGHTS, weights_.as(description.weights_desc()));
      compiled.arguments.add(DNNL_ARG_DST, compiled.target);
      compiled.arguments.add(DNNL_ARG_SCRATCHPAD, compiled.scratch);
      if (bias_) compiled.arguments.add(DNNL_ARG_BIAS, bias_);
      slot_scratch_ = std::max(slot_scratch_, (compiled.scratch.get_desc().get_size() + 63) / 64 * 64);
    }
    constant_weights_ = w.constant;
    if (w.constant) weights_.pack(w.constant->raw());
    output_elements_ = y.shape.elements();
    parts_are_whole_ = y.strides == channels_last_strides(y.shape);
  }

  size_t scratch_bytes() const override { return slot_scratch_ * static_cast<size_t>(threads_); }
  void refresh() override {
    if (constant_weights_) weights_.pack(constant_weights_->raw());
  }

  void run(const KernelArguments& a) override {
    if (!constant_weights_) weights_.pack(a.inputs[1]);
    if (has_residual_ && !residual_in_place_)
      std::memcpy(a.outputs[0], a.inputs[3], static_cast<size_t>(output_elements_) * sizeof(float));
    weights_.bind(a.inputs[1]);
    if (bias_) bias_.set_data_handle(const_cast<void*>(a.inputs[2]));
    const auto* const x = static_cast<const float*>(a.inputs[0]);
    auto* const y = static_cast<float*>(a.outputs[0]);
    const auto run_part = [&](int64_t p, int64_t slot) {
      Compiled& part = parts_[static_cast<size_t>(p)];
      part.source.set_data_handle(const_cast<float*>(x + part.x_offset));
      part.target.set_data_handle(y + part.y_offset);
      part.scratch.set_data_handle(static_cast<std::byte*>(a.scratch) + static_cast<size_t>(slot) * slot_scratch_);
      const ThreadLimit limit(primitive_threads_);
      part.arguments.execute(part.primitive);
      if (in_parts_ && parts_are_whole_ && activation_.kind != Activation::Kind::none)
        vector_loops().activate(part.y_elements, y + part.y_offset, activation_, y + part.y_offset);
    };
    if (in_parts_)
      parallel_parts(std::ssize(parts_), threads_, run_part);
    else
      run_part(0, 0);
    if (!in_parts_ || !parts_are_whole_) activate_result(activation_, y, output_elements_);
  }

 private:
  struct Compiled {
    dnnl::convolution_forward primitive;
    memory source, target, scratch;
    PrimitiveArguments arguments;
    int64_t x_offset, y_offset, y_elements;
  };
  Activation activation_;
  bool residual_in_place_, has_residual_;
  bool in_parts_ = false, parts_are_whole_ = false;  // whole: each lies in one piece
  int primitive_threads_ = 1;
  int64_t threads_ = 1, output_elements_ = 0;
  size_t slot_scratch_ = 0;
  const Tensor* constant_weights_ = nullptr;
  memory bias_;
  WeightsOfParts weights_;
  std::vector<Compiled> parts_;
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
        weights_(plain_weights(request.inputs[1].shape, op.groups)) {
    const Operand &dy = request.inputs[0], &w = request.inputs[1], &dx = request.outputs[0];
    const auto parts = parts_of_images(op.window, dx, dy, std::min(dx.shape[0], kMostParts));
    in_parts_ = parts.size() > 1;
    threads_ = std::min<int64_t>(std::ssize(parts), thread_count());
    const Geometry g = geometry(op.window);
    primitive_threads_ = in_parts_ ? 1 : thread_count();
    const ThreadLimit limit(primitive_threads_);
    const auto weights = any_layout(grouped_weight_shape(w.shape, op.groups));
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    for (const Part& part : parts) {
      const auto source = describe_operand(part.x), target = describe_operand(part.y);
      const dnnl::convolution_backward_data::primitive_desc description(
          engine(), dnnl::algorithm::convolution_direct, source, weights, target, g.stride, g.dilation, g.before,
          g.after, forward_hint(source, weights, target, g), attributes);
      Compiled& compiled = parts_.emplace_back(Compiled{dnnl::convolution_backward_data(description),
                                                        unbound(source),
                                                        unbound(target),
                                                        unbound(description.scratchpad_desc()),
                                                        {},
                                                        part.x_offset,
                                                        part.y_offset});
      compiled.arguments.add(DNNL_ARG_DIFF_SRC, compiled.source);
      compiled.arguments.add(DNNL_ARG_WEIGHTS, weights_.as(description.weights_desc()));
      compiled.arguments.add(DNNL_ARG_DIFF_DST, compiled.target);
      compiled.arguments.add(DNNL_ARG_SCRATCHPAD, compiled.scratch);
      slot_scratch_ = std::max(slot_scratch_, (compiled.scratch.get_desc().get_size() + 63) / 64 * 64);
    }
    constant_weights_ = w.constant;
    if (w.constant) weights_.pack(w.constant->raw());
  }
  // oneDNN's gradients take no tail: with one, the bare gradient goes to scratch memory first.
  size_t scratch_bytes() const override {
    return slots_bytes() + (tail_.empty() ? 0 : static_cast<size_t>(elements_) * sizeof(float));
  }
  void refresh() override {
    if (constant_weights_) weights_.pack(constant_weights_->raw());
  }
  void run(const KernelArguments& a) override {
    if (!constant_weights_) weights_.pack(a.inputs[1]);
    weights_.bind(a.inputs[1]);
    const auto* const dy = static_cast<const float*>(a.inputs[0]);
    auto* const dx = static_cast<float*>(a.outputs[0]);
    float* const bare =
        tail_.empty() ? dx : reinterpret_cast<float*>(static_cast<std::byte*>(a.scratch) + slots_bytes());
    const auto run_part = [&](int64_t p, int64_t slot) {
      Compiled& part = parts_[static_cast<size_t>(p)];
      part.target.set_data_handle(const_cast<float*>(dy + part.dy_offset));
      part.source.set_data_handle(bare + part.dx_offset);
      part.scratch.set_data_handle(static_cast<std::byte*>(a.scratch) + static_cast<size_t>(slot) * slot_scratch_);
      const ThreadLimit limit(primitive_threads_);
      part.arguments.execute(part.primitive);
    };
    if (in_parts_)
      parallel_parts(std::ssize(parts_), threads_, run_part);
    else
      run_part(0, 0);
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
  struct Compiled {
    dnnl::convolution_backward_data primitive;
    memory source, target, scratch;
    PrimitiveArguments arguments;
    int64_t dx_offset, dy_offset;
  };
  size_t slots_bytes() const { return slot_scratch_ * static_cast<size_t>(threads_); }

  Epilogue tail_;
  int64_t elements_, threads_ = 1;
  int primitive_threads_ = 1;
  bool in_parts_ = false;
  size_t slot_scratch_ = 0;
  const Tensor* constant_weights_ = nullptr;
  WeightsOfParts weights_;
  std::vector<Compiled> parts_;
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
