#include "runtime/ops/gemm.h"

#include <algorithm>
#include <cstring>
#include <vector>

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

/// Part of a product's results.
struct ResultBlock {
  int64_t first_row, rows, first_column, columns;
};

/// Blocks of results. oneDNN divides a product among its threads by what they are, which changes the last bits; blocks
/// follow from the shape alone, and each is one thread's. Whole rows, where there are many, since those lie in one
/// piece; columns, where B is packed, so that each block packs its part.
std::vector<ResultBlock> result_blocks(int64_t rows, int64_t depth, int64_t columns, bool packed) {
  constexpr int64_t kMost = 16, kWork = int64_t{1} << 21, kMultiple = 16;
  const bool by_rows = !packed && (rows > columns || rows >= kMost * kMultiple);
  const int64_t extent = by_rows ? rows : columns;
  const int64_t count = std::clamp<int64_t>(rows * depth * columns / kWork, 1, kMost);
  const int64_t size = ((extent + count - 1) / count + kMultiple - 1) / kMultiple * kMultiple;
  std::vector<ResultBlock> blocks;
  for (int64_t first = 0; first < extent; first += size) {
    const int64_t part = std::min(size, extent - first);
    blocks.push_back(by_rows ? ResultBlock{first, part, 0, columns} : ResultBlock{0, rows, first, part});
  }
  return blocks;
}

memory::desc part_of(const memory::desc& matrix, int64_t rows, int64_t columns) {
  const auto strides = matrix.get_strides();
  return {memory::dims{rows, columns}, memory::data_type::f32, memory::dims{strides[0], strides[1]}};
}

/// Scale, bias and residual of a product as oneDNN has them.
struct ProductTail {
  float alpha = 1;
  bool residual = false, has_bias = false;
  bool own_bias = false;  // as matmul's own bias, which is cheaper than a post-op
  memory::desc bias;      // one row, one column, or all of it
};

/// A block of Y = α·A·B + bias + residual by oneDNN's matmul, in one thread; a weight that is known beforehand is
/// packed once.
class ProductBlock {
 public:
  ProductBlock(const ResultBlock& block, const memory::desc& a, const memory::desc& b, const memory::desc& y,
               const ProductTail& tail, bool packed) {
    const ThreadLimit limit(1);  // oneDNN fixes it in a primitive
    const int64_t depth = a.get_dims()[1];
    const auto a_desc = part_of(a, block.rows, depth), b_plain = part_of(b, depth, block.columns),
               y_desc = part_of(y, block.rows, block.columns);
    a_offset_ = block.first_row * a.get_strides()[0];
    b_offset_ = block.first_column * b.get_strides()[1];
    y_offset_ = block.first_row * y.get_strides()[0] + block.first_column * y.get_strides()[1];
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::post_ops post_ops;
    memory::desc bias;
    if (tail.alpha != 1) post_ops.append_eltwise(dnnl::algorithm::eltwise_linear, tail.alpha, 0);
    if (tail.has_bias) {
      const bool by_row = tail.bias.get_dims()[0] > 1, by_column = tail.bias.get_dims()[1] > 1;
      bias = part_of(tail.bias, by_row ? block.rows : 1, by_column ? block.columns : 1);
      bias_offset_ = (by_row ? block.first_row * tail.bias.get_strides()[0] : 0) +
                     (by_column ? block.first_column * tail.bias.get_strides()[1] : 0);
      if (!tail.own_bias) post_ops.append_binary(dnnl::algorithm::binary_add, bias);
    }
    if (tail.residual) post_ops.append_sum(1.0f);
    attributes.set_post_ops(post_ops);
    const auto b_desc =
        packed ? memory::desc(b_plain.get_dims(), memory::data_type::f32, memory::format_tag::any) : b_plain;
    const auto description = tail.own_bias
                                 ? dnnl::matmul::primitive_desc(engine(), a_desc, b_desc, bias, y_desc, attributes)
                                 : dnnl::matmul::primitive_desc(engine(), a_desc, b_desc, y_desc, attributes);
    primitive_ = dnnl::matmul(description);
    a_ = unbound(a_desc);
    b_ = unbound(b_plain);
    y_ = unbound(y_desc);
    scratch_ = unbound(description.scratchpad_desc());
    if (description.weights_desc() != b_plain) {
      packed_ = memory(description.weights_desc(), engine());
      reorder_ = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), b_plain, engine(), description.weights_desc()));
      reorder_arguments_.add(DNNL_ARG_FROM, b_);
      reorder_arguments_.add(DNNL_ARG_TO, packed_);
    }
    arguments_.add(DNNL_ARG_SRC, a_);
    arguments_.add(DNNL_ARG_WEIGHTS, packed_ ? packed_ : b_);
    arguments_.add(DNNL_ARG_DST, y_);
    arguments_.add(DNNL_ARG_SCRATCHPAD, scratch_);
    if (!tail.has_bias) return;
    bias_ = unbound(bias);
    const int post_op = tail.alpha != 1 ? 1 : 0;
    arguments_.add(tail.own_bias ? DNNL_ARG_BIAS : (DNNL_ARG_ATTR_MULTIPLE_POST_OP(post_op) | DNNL_ARG_SRC_1), bias_);
  }

  size_t scratch_bytes() const { return (scratch_.get_desc().get_size() + 63) / 64 * 64; }

  void pack(const float* b) {
    if (!packed_) return;
    b_.set_data_handle(const_cast<float*>(b) + b_offset_);
    reorder_arguments_.execute(reorder_);
    stream().wait();
  }

  /// The whole matrices; `bias` may be null where there is none.
  void run(const float* a, const float* b, const float* bias, float* y, void* scratch) {
    a_.set_data_handle(const_cast<float*>(a) + a_offset_);
    if (!packed_) b_.set_data_handle(const_cast<float*>(b) + b_offset_);
    if (bias_) bias_.set_data_handle(const_cast<float*>(bias) + bias_offset_);
    y_.set_data_handle(y + y_offset_);
    scratch_.set_data_handle(scratch);
    arguments_.execute(primitive_);
  }

 private:
  int64_t a_offset_ = 0, b_offset_ = 0, bias_offset_ = 0, y_offset_ = 0;  // elements
  dnnl::matmul primitive_;
  memory a_, b_, y_, bias_, scratch_, packed_;
  dnnl::reorder reorder_;
  PrimitiveArguments arguments_, reorder_arguments_;
};

/// Whether oneDNN would rather have B in a layout of its own. Asked of the whole product and for a fixed number of
/// threads: of a block it says so more often, and packing what training changes at each step takes longer than it
/// saves.
bool is_better_packed(const memory::desc& a, const memory::desc& b, const memory::desc& y) {
  const ThreadLimit limit(2);
  const memory::desc any(b.get_dims(), memory::data_type::f32, memory::format_tag::any);
  return dnnl::matmul::primitive_desc(engine(), a, any, y).weights_desc() != b;
}

/// Y = act(α·A·B + bias + residual), block by block.
class GemmKernel final : public Kernel {
 public:
  GemmKernel(const Gemm& op, const KernelRequest& request)
      : activation_(op.tail.activation),
        has_residual_(op.tail.residual),
        residual_in_place_(request.in_place_input >= 0),
        constant_b_(request.inputs[1].constant) {
    const auto a = matrix(request.inputs[0], op.transpose_a), b = matrix(request.inputs[1], op.transpose_b),
               y = matrix(request.outputs[0], Transpose2d::no);
    const int64_t rows = y.get_dims()[0], columns = y.get_dims()[1];
    output_bytes_ = y.get_size();
    ProductTail tail;
    tail.alpha = op.alpha;
    tail.residual = has_residual_;
    tail.has_bias = request.inputs.size() > 2 && request.inputs[2].present;
    if (tail.has_bias) {
      const Operand& c = request.inputs[2];
      const Strides strides = broadcast_strides(c.shape, c.strides, {rows, columns});
      const memory::dims dims{strides[0] == 0 ? 1 : rows, strides[1] == 0 ? 1 : columns};
      tail.bias = memory::desc(dims, memory::data_type::f32,
                               memory::dims{strides[0] == 0 ? dims[1] : strides[0], strides[1] == 0 ? 1 : strides[1]});
      // β ≠ 1 does not occur in image networks; a scaled copy keeps the primitive simple.
      bias_scale_ = op.beta;
      bias_elements_ = dims[0] * dims[1];
      tail.own_bias = op.alpha == 1 && op.beta == 1 && dims[0] == 1 && dims[1] == columns;
    }
    const bool packed = constant_b_ && is_better_packed(a, b, y);
    for (const ResultBlock& block : result_blocks(rows, a.get_dims()[1], columns, packed))
      blocks_.emplace_back(block, a, b, y, tail, packed);
    for (const ProductBlock& block : blocks_) block_scratch_ = std::max(block_scratch_, block.scratch_bytes());
    threads_ = std::min(blocks_.size(), static_cast<size_t>(thread_count()));
    refresh();
  }

  size_t scratch_bytes() const override {
    return block_scratch_ * threads_ + (bias_scale_ != 1 ? static_cast<size_t>(bias_elements_) * sizeof(float) : 0);
  }
  void refresh() override {
    if (!constant_b_) return;
    for (ProductBlock& block : blocks_) block.pack(static_cast<const float*>(constant_b_->raw()));
  }

  void run(const KernelArguments& args) override {
    if (has_residual_ && !residual_in_place_) std::memcpy(args.outputs[0], args.inputs[3], output_bytes_);
    if (blocks_.empty()) return;  // no results
    auto* const scratch = static_cast<std::byte*>(args.scratch);
    const auto* bias = bias_elements_ > 0 ? static_cast<const float*>(args.inputs[2]) : nullptr;
    if (bias && bias_scale_ != 1) {
      auto* const scaled = reinterpret_cast<float*>(scratch + block_scratch_ * threads_);
      for (int64_t i = 0; i < bias_elements_; ++i) scaled[i] = bias_scale_ * bias[i];
      bias = scaled;
    }
    parallel_parts(std::ssize(blocks_), static_cast<int64_t>(threads_), [&](int64_t block, int64_t slot) {
      blocks_[static_cast<size_t>(block)].run(
          static_cast<const float*>(args.inputs[0]), static_cast<const float*>(args.inputs[1]), bias,
          static_cast<float*>(args.outputs[0]), scratch + block_scratch_ * static_cast<size_t>(slot));
    });
    activate_result(activation_, args.outputs[0], static_cast<int64_t>(output_bytes_ / sizeof(float)));
  }

 private:
  Activation activation_;
  bool has_residual_, residual_in_place_;
  const Tensor* constant_b_;
  float bias_scale_ = 1;
  int64_t bias_elements_ = 0;
  size_t output_bytes_ = 0, block_scratch_ = 0, threads_ = 1;
  std::vector<ProductBlock> blocks_;
};

/// Y = act(β·C + residual): a product over no terms.
class EmptyProduct final : public Kernel {
 public:
  EmptyProduct(const Gemm& op, const KernelRequest& request) : op_(op), rows_(request.outputs[0].shape[0]) {
    columns_ = request.outputs[0].shape[1];
    if (request.inputs.size() > 2 && request.inputs[2].present)
      bias_strides_ = broadcast_strides(request.inputs[2].shape, request.inputs[2].strides, {rows_, columns_});
  }
  void run(const KernelArguments& a) override {
    auto* const y = static_cast<float*>(a.outputs[0]);
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < columns_; ++c) {
        float sum = op_.tail.residual ? static_cast<const float*>(a.inputs[3])[r * columns_ + c] : 0;
        if (!bias_strides_.empty())
          sum += op_.beta * static_cast<const float*>(a.inputs[2])[r * bias_strides_[0] + c * bias_strides_[1]];
        y[r * columns_ + c] = sum;
      }
    activate_result(op_.tail.activation, y, rows_ * columns_);
  }

 private:
  Gemm op_;
  int64_t rows_, columns_ = 0;
  Strides bias_strides_;
};

/// A batched product over no terms.
class Zeros final : public Kernel {
 public:
  explicit Zeros(int64_t elements) : elements_(elements) {}
  void run(const KernelArguments& a) override { std::fill_n(static_cast<float*>(a.outputs[0]), elements_, 0.0f); }

 private:
  int64_t elements_;
};

std::unique_ptr<Kernel> make_gemm(const Gemm& op, const KernelRequest& request) {
  require_f32(request);
  return guarded([&]() -> std::unique_ptr<Kernel> {
    if (request.inputs[0].shape.elements() == 0) return std::make_unique<EmptyProduct>(op, request);
    if (auto kernel = vector_product(op, request)) return kernel;
    if (auto kernel = row_product(op, request)) return kernel;
    if (auto kernel = dense_weight_gradient(op, request)) return kernel;
    return std::make_unique<GemmKernel>(op, request);
  });
}

/// How many threads may share a product such that each sum is one thread's: oneDNN gives a thread blocks of results of
/// at most 64×64, and where there are fewer blocks than threads it divides long sums instead, so that the number of
/// threads changes the last bits.
int threads_for(int64_t rows, int64_t depth, int64_t columns) {
  constexpr int64_t kBlock = 64, kShortSum = 512;
  if (depth < kShortSum) return thread_count();
  const int64_t blocks = ((rows + kBlock - 1) / kBlock) * ((columns + kBlock - 1) / kBlock);
  return static_cast<int>(std::clamp<int64_t>(blocks, 1, thread_count()));
}

/// Products of some of a batch's matrices, by `threads` of oneDNN's.
class BatchPart {
 public:
  BatchPart(const Operand& a, const Operand& b, const Operand& y, int threads) : threads_(threads) {
    const ThreadLimit limit(threads_);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
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
  size_t scratch_bytes() const { return (scratch_.get_desc().get_size() + 63) / 64 * 64; }
  void run(const float* a, const float* b, float* y, void* scratch) {
    a_.set_data_handle(const_cast<float*>(a));
    b_.set_data_handle(const_cast<float*>(b));
    y_.set_data_handle(y);
    scratch_.set_data_handle(scratch);
    const ThreadLimit limit(threads_);
    arguments_.execute(primitive_);
  }

 private:
  int threads_;
  dnnl::matmul primitive_;
  memory a_, b_, y_, scratch_;
  PrimitiveArguments arguments_;
};

/// Batched product with broadcasting: operands are seen with strides of zero only along whole batch dimensions of 1,
/// which oneDNN broadcasts itself. Threads share the matrices, or, of a single one, the matrix.
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
    const size_t matrix = y.shape.size() - 2;
    size_t first = 0;
    while (first < matrix && y.shape[first] < 2) ++first;
    if (first == matrix || y.shape.elements() == 0) {
      const int threads = threads_for(y.shape[matrix], a.shape[matrix + 1], y.shape[matrix + 1]);
      slots_.emplace_back().emplace_back(a, b, y, threads);
    } else {
      divide(a, b, y, first, matrix);
    }
    for (const BatchPart& part : slots_[0]) slot_scratch_ = std::max(slot_scratch_, part.scratch_bytes());
  }
  size_t scratch_bytes() const override { return slot_scratch_ * slots_.size(); }
  void run(const KernelArguments& args) override {
    const auto *a = static_cast<const float*>(args.inputs[0]), *b = static_cast<const float*>(args.inputs[1]);
    auto* const y = static_cast<float*>(args.outputs[0]);
    if (parts_.empty()) return slots_[0][0].run(a, b, y, args.scratch);
    parallel_parts(std::ssize(parts_), std::ssize(slots_), [&](int64_t p, int64_t slot) {
      const Part& part = parts_[static_cast<size_t>(p)];
      const auto s = static_cast<size_t>(slot);
      slots_[s][part.is_rest].run(a + part.a, b + part.b, y + part.y,
                                  static_cast<std::byte*>(args.scratch) + s * slot_scratch_);
    });
  }

 private:
  /// Some neighbours along one batch dimension.
  struct Part {
    int64_t a, b, y;  // elements before it
    bool is_rest;     // of the dimension, which holds no whole number of parts
  };

  /// Into about kWanted parts, by the shape alone: oneDNN's kernels, and the order of their sums, follow from it.
  void divide(const Operand& a, const Operand& b, const Operand& y, size_t first, size_t matrix) {
    constexpr int64_t kWanted = 16;
    // Dimensions before the last that is divided are taken one index at a time.
    size_t last = first;
    int64_t outer = 1;
    while (last + 1 < matrix && outer * y.shape[last] < kWanted) outer *= y.shape[last++];
    const int64_t count = y.shape[last], wanted = std::clamp<int64_t>((kWanted + outer - 1) / outer, 1, count),
                  each = (count + wanted - 1) / wanted;
    const auto of = [&](Operand operand, int64_t matrices) {
      for (size_t d = first; d < last; ++d) operand.shape[d] = 1;
      if (operand.shape[last] > 1) operand.shape[last] = matrices;
      return operand;
    };
    const auto offset = [&](const Operand& operand, int64_t index, int64_t at) {
      int64_t elements = operand.shape[last] > 1 ? at * operand.strides[last] : 0;
      for (size_t d = last; d-- > first; index /= y.shape[d])
        if (operand.shape[d] > 1) elements += index % y.shape[d] * operand.strides[d];
      return elements;
    };
    for (int64_t index = 0; index < outer; ++index)
      for (int64_t at = 0; at < count; at += each)
        parts_.push_back({offset(a, index, at), offset(b, index, at), offset(y, index, at), at + each > count});
    for (int64_t slot = 0; slot < std::min<int64_t>(std::ssize(parts_), thread_count()); ++slot) {
      auto& sizes = slots_.emplace_back();
      for (const int64_t matrices : {each, count % each})
        if (matrices > 0) sizes.emplace_back(of(a, matrices), of(b, matrices), of(y, matrices), 1);
    }
  }

  static void insert(Operand& operand, int64_t at) {
    // The stride of an extent of 1 never moves anything, but oneDNN takes a matrix's for its leading dimension, which
    // must span a row.
    const auto i = static_cast<size_t>(at);
    const int64_t stride = i < operand.shape.size() ? std::max<int64_t>(operand.shape[i] * operand.strides[i], 1) : 1;
    operand.shape.insert(operand.shape.begin() + at, 1);
    operand.strides.insert(operand.strides.begin() + at, stride);
  }

  size_t slot_scratch_ = 0;
  std::vector<Part> parts_;                    // none: one product, shared by oneDNN's threads
  std::vector<std::vector<BatchPart>> slots_;  // by slot: parts of each_ matrices, and the last where it is smaller
};

std::unique_ptr<Kernel> make_matmul(const MatMul&, const KernelRequest& request) {
  require_f32(request);
  return guarded([&]() -> std::unique_ptr<Kernel> {
    if (request.inputs[0].shape.elements() == 0) return std::make_unique<Zeros>(request.outputs[0].shape.elements());
    return std::make_unique<MatMulKernel>(request);
  });
}

}  // namespace

void register_gemm(KernelTable& table) {
  table.add<Gemm>(make_gemm);
  table.add<MatMul>(make_matmul);
}

}  // namespace graft::cpu
