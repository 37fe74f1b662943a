#include "runtime/ops/gemm.h"

#include <algorithm>
#include <cstring>

#include "runtime/core/strided_copy.h"
#include "runtime/core/thread_limit.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/row_product.h"
#include "runtime/cpu/vector_product.h"
#include "runtime/ops/broadcast.h"

namespace graft::cpu {
namespace {

using dnnl::memory;

memory::desc matrix(const Operand& operand, Transpose2d transpose) {
  const Shape& s = operand.shape;
  if (transpose == Transpose2d::no)
    return {memory::dims{s[0], s[1]}, memory::data_type::f32, memory::dims{operand.strides[0], operand.strides[1]}};
  return {memory::dims{s[1], s[0]}, memory::data_type::f32, memory::dims{operand.strides[1], operand.strides[0]}};
}

/// How many threads may share a product such that each sum is one thread's: oneDNN gives a thread blocks of results of
/// at most 64×64, and where there are fewer blocks than threads it divides long sums instead, so that the number of
/// threads changes the last bits.
int threads_for(int64_t rows, int64_t depth, int64_t columns) {
  constexpr int64_t kBlock = 64, kShortSum = 512;
  if (depth < kShortSum) return omp_get_max_threads();
  const int64_t blocks = ((rows + kBlock - 1) / kBlock) * ((columns + kBlock - 1) / kBlock);
  return static_cast<int>(std::clamp<int64_t>(blocks, 1, omp_get_max_threads()));
}

/// Y = act(α·A·B + bias + residual) by oneDNN's matmul; a weight that is known beforehand is packed once.
class GemmKernel final : public Kernel {
 public:
  GemmKernel(const Gemm& op, const KernelRequest& request) {
    const Operand &a = request.inputs[0], &b = request.inputs[1], &y = request.outputs[0];
    threads_ = threads_for(y.shape[0], op.transpose_a == Transpose2d::no ? a.shape[1] : a.shape[0], y.shape[1]);
    const ThreadLimit limit(threads_);  // oneDNN fixes it in a primitive
    has_residual_ = op.tail.residual;
    residual_in_place_ = request.in_place_input >= 0;
    const bool has_bias = request.inputs.size() > 2 && request.inputs[2].present;
    constant_b_ = b.constant;
    const auto a_desc = matrix(a, op.transpose_a), b_plain = matrix(b, op.transpose_b),
               y_desc = matrix(y, Transpose2d::no);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::post_ops tail;
    if (op.alpha != 1) tail.append_eltwise(dnnl::algorithm::eltwise_linear, op.alpha, 0);
    memory::desc bias_desc;
    if (has_bias) {
      const Operand& c = request.inputs[2];
      const Strides strides = broadcast_strides(c.shape, c.strides, y.shape);
      const memory::dims dims{strides[0] == 0 ? 1 : y.shape[0], strides[1] == 0 ? 1 : y.shape[1]};
      bias_desc = memory::desc(dims, memory::data_type::f32,
                               memory::dims{strides[0] == 0 ? dims[1] : strides[0], strides[1] == 0 ? 1 : strides[1]});
      // β ≠ 1 does not occur in image networks; a scaled copy keeps the primitive simple.
      bias_scale_ = op.beta;
      tail.append_binary(dnnl::algorithm::binary_add, bias_desc);
    }
    if (has_residual_) tail.append_sum(1.0f);
    activation_ = op.tail.activation;
    const bool plain_bias = has_bias && op.alpha == 1 && op.beta == 1 && bias_desc.get_dims()[0] == 1 &&
                            bias_desc.get_dims()[1] == y.shape[1];
    if (plain_bias) {  // the primitive's own bias is cheaper than a binary post-op
      tail = dnnl::post_ops();
      if (has_residual_) tail.append_sum(1.0f);
    }
    attributes.set_post_ops(tail);
    const bool packable = constant_b_ != nullptr;
    const auto b_desc =
        packable ? memory::desc(b_plain.get_dims(), memory::data_type::f32, memory::format_tag::any) : b_plain;
    const auto description = plain_bias
                                 ? dnnl::matmul::primitive_desc(engine(), a_desc, b_desc, bias_desc, y_desc, attributes)
                                 : dnnl::matmul::primitive_desc(engine(), a_desc, b_desc, y_desc, attributes);
    primitive_ = dnnl::matmul(description);
    has_bias_ = has_bias;
    a_ = unbound(a_desc);
    b_plain_ = unbound(b_plain);
    y_ = unbound(y_desc);
    if (has_bias) {
      bias_ = unbound(bias_desc);
      bias_elements_ = bias_desc.get_dims()[0] * bias_desc.get_dims()[1];
    }
    scratch_ = unbound(description.scratchpad_desc());
    own_scratch_ = (scratch_.get_desc().get_size() + 63) / 64 * 64;
    output_bytes_ = y_desc.get_size();
    if (description.weights_desc() != b_plain) {
      packed_ = memory(description.weights_desc(), engine());
      reorder_ = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), b_plain, engine(), description.weights_desc()));
      reorder_arguments_.add(DNNL_ARG_FROM, b_plain_);
      reorder_arguments_.add(DNNL_ARG_TO, packed_);
      refresh();
    }
    arguments_.add(DNNL_ARG_SRC, a_);
    arguments_.add(DNNL_ARG_WEIGHTS, packed_ ? packed_ : b_plain_);
    arguments_.add(DNNL_ARG_DST, y_);
    arguments_.add(DNNL_ARG_SCRATCHPAD, scratch_);
    if (has_bias) {
      const int post_op = op.alpha != 1 ? 1 : 0;
      arguments_.add(plain_bias ? DNNL_ARG_BIAS : (DNNL_ARG_ATTR_MULTIPLE_POST_OP(post_op) | DNNL_ARG_SRC_1), bias_);
    }
  }

  size_t scratch_bytes() const override {
    return own_scratch_ + (bias_scale_ != 1 ? static_cast<size_t>(bias_elements_) * sizeof(float) : 0);
  }
  void refresh() override {
    if (!packed_ || !constant_b_) return;
    b_plain_.set_data_handle(const_cast<void*>(constant_b_->raw()));
    reorder_arguments_.execute(reorder_);
    stream().wait();
  }

  void run(const KernelArguments& args) override {
    if (has_residual_ && !residual_in_place_) std::memcpy(args.outputs[0], args.inputs[3], output_bytes_);
    a_.set_data_handle(const_cast<void*>(args.inputs[0]));
    y_.set_data_handle(args.outputs[0]);
    scratch_.set_data_handle(args.scratch);
    if (!packed_) b_plain_.set_data_handle(const_cast<void*>(args.inputs[1]));
    if (has_bias_) {
      void* bias = const_cast<void*>(args.inputs[2]);
      if (bias_scale_ != 1) {
        auto* scaled = reinterpret_cast<float*>(static_cast<std::byte*>(args.scratch) + own_scratch_);
        for (int64_t i = 0; i < bias_elements_; ++i)
          scaled[i] = bias_scale_ * static_cast<const float*>(args.inputs[2])[i];
        bias = scaled;
      }
      bias_.set_data_handle(bias);
    }
    {
      const ThreadLimit limit(threads_);
      arguments_.execute(primitive_);
    }
    activate_result(activation_, args.outputs[0], static_cast<int64_t>(output_bytes_ / sizeof(float)));
  }

 private:
  Activation activation_;
  bool has_residual_ = false, residual_in_place_ = false, has_bias_ = false;
  int threads_ = 1;
  float bias_scale_ = 1;
  int64_t bias_elements_ = 0;
  size_t own_scratch_ = 0, output_bytes_ = 0;
  const Tensor* constant_b_ = nullptr;
  dnnl::matmul primitive_;
  memory a_, b_plain_, y_, bias_, scratch_, packed_;
  dnnl::reorder reorder_;
  PrimitiveArguments arguments_, reorder_arguments_;
};

std::unique_ptr<Kernel> make_gemm(const Gemm& op, const KernelRequest& request) {
  require_f32(request);
  return guarded([&]() -> std::unique_ptr<Kernel> {
    if (auto kernel = vector_product(op, request)) return kernel;
    if (auto kernel = row_product(op, request)) return kernel;
    if (auto kernel = dense_weight_gradient(op, request)) return kernel;
    return std::make_unique<GemmKernel>(op, request);
  });
}

/// Batched product with broadcasting: operands are seen with strides of zero only along whole batch dimensions of 1,
/// which oneDNN broadcasts itself.
class MatMulKernel final : public Kernel {
 public:
  explicit MatMulKernel(const KernelRequest& request) {
    Operand a = request.inputs[0], b = request.inputs[1], y = request.outputs[0];
    const bool vector_a = a.shape.rank() == 1, vector_b = b.shape.rank() == 1;
    if (vector_a) insert(a, 0);
    if (vector_b) insert(b, 1);
    if (vector_a) insert(y, y.shape.rank() - (vector_b ? 0 : 1));
    if (vector_b) insert(y, y.shape.rank());
    while (a.shape.rank() < y.shape.rank()) insert(a, 0);
    while (b.shape.rank() < y.shape.rank()) insert(b, 0);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const size_t rank = y.shape.size() - 2;
    threads_ = threads_for(y.shape[rank], a.shape[rank + 1], y.shape[rank + 1]);
    const ThreadLimit limit(threads_);
    const auto a_desc = describe_operand(a), b_desc = describe_operand(b), y_desc = describe_operand(y);
    const dnnl::matmul::primitive_desc description(engine(), a_desc, b_desc, y_desc, attributes);
    primitive_ = dnnl::matmul(description);
    a_ = unbound(a_desc);
    b_ = unbound(b_desc);
    y_ = unbound(y_desc);
    scratch_ = unbound(description.scratchpad_desc());
    arguments_.add(DNNL_ARG_SRC, a_);
    arguments_.add(DNNL_ARG_WEIGHTS, b_);
    arguments_.add(DNNL_ARG_DST, y_);
    arguments_.add(DNNL_ARG_SCRATCHPAD, scratch_);
  }
  size_t scratch_bytes() const override { return scratch_.get_desc().get_size(); }
  void run(const KernelArguments& args) override {
    a_.set_data_handle(const_cast<void*>(args.inputs[0]));
    b_.set_data_handle(const_cast<void*>(args.inputs[1]));
    y_.set_data_handle(args.outputs[0]);
    scratch_.set_data_handle(args.scratch);
    const ThreadLimit limit(threads_);
    arguments_.execute(primitive_);
  }

 private:
  static void insert(Operand& operand, int64_t at) {
    // The stride of an extent of 1 never moves anything, but oneDNN takes a matrix's for its leading dimension, which
    // must span a row.
    const auto i = static_cast<size_t>(at);
    const int64_t stride = i < operand.shape.size() ? std::max<int64_t>(operand.shape[i] * operand.strides[i], 1) : 1;
    operand.shape.insert(operand.shape.begin() + at, 1);
    operand.strides.insert(operand.strides.begin() + at, stride);
  }
  int threads_ = 1;
  dnnl::matmul primitive_;
  memory a_, b_, y_, scratch_;
  PrimitiveArguments arguments_;
};

std::unique_ptr<Kernel> make_matmul(const MatMul&, const KernelRequest& request) {
  require_f32(request);
  return guarded([&] { return std::make_unique<MatMulKernel>(request); });
}

}  // namespace

void register_gemm(KernelTable& table) {
  table.add<Gemm>(make_gemm);
  table.add<MatMul>(make_matmul);
}

}  // namespace graft::cpu
