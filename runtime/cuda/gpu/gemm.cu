#include "runtime/ops/gemm.h"

#include "runtime/cuda/epilogue.h"
#include "runtime/cuda/gpu/cublas_product.h"
#include "runtime/cuda/gpu/library_kernels.h"
#include "runtime/cuda/launched.h"
#include "runtime/ops/broadcast.h"

namespace graft::cuda {
namespace {

/// Rows side by side in memory.
bool row_major(const Operand& o) { return o.shape.rank() == 2 && (o.shape[1] == 1 || o.strides[1] == 1) && o.strides[0] >= o.shape[1]; }

bool one_type(const KernelRequest& r) { return is_real(r.outputs[0].dtype) && all_of(r.inputs, r.outputs[0].dtype); }

std::unique_ptr<Kernel> make_gemm(const LibraryContext& c, const Gemm& op, const KernelRequest& r) {
  const Operand &a = r.inputs[0], &b = r.inputs[1], &y = r.outputs[0];
  if (!one_type(r) || !row_major(a) || !row_major(b) || !row_major(y) || a.shape.elements() == 0 || b.shape.elements() == 0) return nullptr;
  const bool has_bias = r.inputs.size() > 2 && r.inputs[2].present;
  ProductProblem problem;
  problem.dtype = y.dtype;
  problem.m = y.shape[0];
  problem.n = y.shape[1];
  problem.transpose_a = op.transpose_a == Transpose2d::yes;
  problem.transpose_b = op.transpose_b == Transpose2d::yes;
  problem.k = a.shape[problem.transpose_a ? 0 : 1];
  problem.a_row = a.strides[0];
  problem.b_row = b.strides[0];
  problem.y_row = y.strides[0];
  problem.alpha = op.alpha;
  problem.residual = op.tail.residual;
  std::shared_ptr<const CublasProduct> product = CublasProduct::make(problem, c.libraries);
  if (!product) return nullptr;
  const Strides bias = has_bias ? broadcast_strides(r.inputs[2].shape, r.inputs[2].strides, y.shape) : Strides{0, 0};
  const Indexer<2> places(y.shape, {y.strides, bias});
  const bool finish = has_bias || op.tail.activation.kind != Activation::Kind::none;
  return launched([&queue = c.queue, product, places, has_bias, finish, tail = op.tail, beta = op.beta, dtype = y.dtype](const KernelArguments& k) {
    product->run(k.inputs[0], k.inputs[1], tail.residual ? k.inputs[3] : nullptr, k.outputs[0], k.scratch);
    if (!finish) return;
    visit_real(dtype, [&](auto tag) {
      using T = decltype(tag);
      queue.each(places.count(), EpilogueBody<T>{static_cast<T*>(k.outputs[0]), has_bias ? static_cast<const T*>(k.inputs[2]) : nullptr, nullptr, places, beta, tail.activation});
    });
  }, CublasProduct::kWorkspaceBytes);
}

/// Batches of row-major matrices; B may be one matrix for all. The rest is the processor's.
std::unique_ptr<Kernel> make_matmul(const LibraryContext& c, const KernelRequest& r) {
  const Operand &a = r.inputs[0], &b = r.inputs[1], &y = r.outputs[0];
  const int64_t rank = y.shape.rank();
  if (!one_type(r) || a.shape.rank() != rank || rank < 2 || b.shape.rank() < 2 || y.shape.elements() == 0 || a.shape.elements() == 0) return nullptr;
  const auto plain = [](const Operand& o) { return o.strides == plain_strides(o.shape); };
  if (!plain(a) || !plain(b) || !plain(y)) return nullptr;
  const Shape batch(std::vector<int64_t>(y.shape.begin(), y.shape.end() - 2));
  const auto leading = [](const Operand& o) { return Shape(std::vector<int64_t>(o.shape.begin(), o.shape.end() - 2)); };
  const bool shared = leading(b).elements() == 1;
  if (leading(a) != batch || (!shared && leading(b) != batch)) return nullptr;
  ProductProblem problem;
  problem.dtype = y.dtype;
  problem.m = y.shape.end()[-2];
  problem.n = y.shape.end()[-1];
  problem.k = a.shape.end()[-1];
  problem.a_row = problem.k;
  problem.b_row = problem.y_row = problem.n;
  problem.batch = batch.elements();
  problem.a_step = problem.m * problem.k;
  problem.b_step = shared ? 0 : problem.k * problem.n;
  problem.y_step = problem.m * problem.n;
  if (shared) {  // one tall product
    problem.m *= problem.batch;
    problem.batch = 1;
  }
  std::shared_ptr<const CublasProduct> product = CublasProduct::make(problem, c.libraries);
  if (!product) return nullptr;
  return launched([product](const KernelArguments& k) { product->run(k.inputs[0], k.inputs[1], nullptr, k.outputs[0], k.scratch); }, CublasProduct::kWorkspaceBytes);
}

}  // namespace

void register_gemm(KernelTable& table, const LibraryContext& context) {
  table.add<Gemm>([&context](const Gemm& op, const KernelRequest& r) { return make_gemm(context, op, r); });
  table.add<MatMul>([&context](const MatMul&, const KernelRequest& r) { return make_matmul(context, r); });
}

}  // namespace graft::cuda
