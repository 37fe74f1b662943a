#include "runtime/ops/gemm.h"

#include "runtime/core/strided_copy.h"
#include "runtime/cuda/batches.h"
#include "runtime/cuda/epilogue.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/moves.h"
#include "runtime/ops/broadcast.h"

namespace graft::cuda {
namespace {

/// Rows side by side in memory.
bool row_major(const Operand& o) {
  return o.shape.rank() == 2 && (o.shape[1] == 1 || o.strides[1] == 1) && o.strides[0] >= o.shape[1];
}

bool one_type(const KernelRequest& r) { return is_real(r.outputs[0].dtype) && all_of(r.inputs, r.outputs[0].dtype); }

std::unique_ptr<Kernel> make_gemm(const LibraryContext& c, const Gemm& op, const KernelRequest& r) {
  const Operand &a = r.inputs[0], &b = r.inputs[1], &y = r.outputs[0];
  if (!one_type(r) || !row_major(a) || !row_major(b) || !row_major(y) || a.shape.elements() == 0 ||
      b.shape.elements() == 0)
    return nullptr;
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
  const std::shared_ptr<const LibraryProduct> product = c.library.product(problem);
  if (!product) return nullptr;
  const Strides bias = has_bias ? broadcast_strides(r.inputs[2].shape, r.inputs[2].strides, y.shape) : Strides{0, 0};
  const Indexer<2> places(y.shape, {y.strides, bias});
  const bool finish = has_bias || op.tail.activation.kind != Activation::Kind::none;
  return launched(
      [&launcher = c.launcher, product, places, has_bias, finish, tail = op.tail, beta = op.beta,
       dtype = y.dtype](const KernelArguments& k) {
        product->run(k.inputs[0], k.inputs[1], tail.residual ? k.inputs[3] : nullptr, k.outputs[0], k.scratch);
        if (!finish) return;
        visit_real(dtype, [&](auto tag) {
          using T = decltype(tag);
          launcher.each(places.count(), EpilogueBody<T>{static_cast<T*>(k.outputs[0]),
                                                        has_bias ? static_cast<const T*>(k.inputs[2]) : nullptr,
                                                        nullptr, places, beta, tail.activation});
        });
      },
      product->workspace_bytes());
}

/// An operand of MatMul as matrices that lie row-major. One that does not, as pictures with channels last, is laid out
/// anew in scratch.
struct Matrices {
  Shape leading;
  int64_t rows, columns;
  Strides steps;  // of the leading dimensions
  bool in_place;
  Indexer<2> laying;  // in scratch, as it lies

  /// Vectors are matrices of one row (`row`) or column.
  Matrices(const Operand& o, bool row) : rows(1), columns(1) {
    Shape shape = o.shape;
    Strides lies = o.strides;
    if (shape.rank() == 1) {
      shape.insert(row ? shape.begin() : shape.end(), 1);
      lies.insert(row ? lies.begin() : lies.end(), 0);
    }
    rows = shape.end()[-2];
    columns = shape.end()[-1];
    leading = Shape(std::vector<int64_t>(shape.begin(), shape.end() - 2));
    in_place = is_row_major(o.shape, o.strides);
    const Strides plain = plain_strides(shape);
    steps.assign(plain.begin(), plain.end() - 2);
    laying = Indexer<2>(shape, {plain, lies});
  }
  int64_t elements() const { return leading.elements() * rows * columns; }
};

/// Batches of products with NumPy's broadcasting.
std::unique_ptr<Kernel> make_matmul(const LibraryContext& c, const KernelRequest& r) {
  const Operand& out = r.outputs[0];
  const Matrices a(r.inputs[0], true), b(r.inputs[1], false);
  if (!one_type(r) || out.shape.elements() == 0 || a.elements() == 0) return nullptr;
  // y's matrices, also where a vector made one of its dimensions vanish.
  Shape leading(std::vector<int64_t>(
      out.shape.begin(), out.shape.end() - (r.inputs[0].shape.rank() > 1) - (r.inputs[1].shape.rank() > 1)));
  Shape whole = leading;
  whole.push_back(a.rows);
  whole.push_back(b.columns);
  const Strides plain = plain_strides(whole);
  const Strides y_steps(plain.begin(), plain.end() - 2);
  const Batches batches(leading, broadcast_strides(a.leading, a.steps, leading),
                        broadcast_strides(b.leading, b.steps, leading), y_steps);
  const Indexer<2> leaving(out.shape, {out.strides, plain_strides(out.shape)});
  const bool stays = is_row_major(out.shape, out.strides);
  if (!a.laying.fits() || !b.laying.fits() || !leaving.fits()) return nullptr;

  ProductProblem problem;
  problem.dtype = out.dtype;
  problem.m = a.rows;
  problem.n = b.columns;
  problem.k = a.columns;
  problem.a_row = problem.k;
  problem.b_row = problem.y_row = problem.n;
  problem.batch = batches.count;
  problem.a_step = batches.a_step;
  problem.b_step = batches.b_step;
  problem.y_step = batches.y_step;
  if (problem.b_step == 0 && problem.a_step == problem.m * problem.k &&
      problem.y_step == problem.m * problem.n) {  // one tall product
    problem.m *= problem.batch;
    problem.batch = 1;
  }
  const std::shared_ptr<const LibraryProduct> product = c.library.product(problem);
  if (!product) return nullptr;
  const auto bytes = static_cast<int64_t>(size_of(out.dtype));
  const auto copy_bytes = [&](bool needed, int64_t elements) {
    return needed ? (elements * bytes + 255) / 256 * 256 : 0;
  };
  const int64_t a_bytes = copy_bytes(!a.in_place, a.elements()), b_bytes = copy_bytes(!b.in_place, b.elements()),
                y_bytes = copy_bytes(!stays, out.shape.elements());
  return launched(
      [&launcher = c.launcher, product, batches, a, b, leaving, stays, bytes, a_bytes, b_bytes,
       y_bytes](const KernelArguments& k) {
        auto* const scratch = static_cast<std::byte*>(k.scratch);
        const auto laid = [&](const Matrices& m, const void* from, std::byte* to) -> const std::byte* {
          if (m.in_place) return static_cast<const std::byte*>(from);
          move(launcher, static_cast<size_t>(bytes), {0, 0, 0, m.laying}, from, to);
          return to;
        };
        const std::byte *const left = laid(a, k.inputs[0], scratch), *const right =
                                                                         laid(b, k.inputs[1], scratch + a_bytes);
        std::byte* const result = stays ? static_cast<std::byte*>(k.outputs[0]) : scratch + a_bytes + b_bytes;
        for (const Batches::Run& run : batches.runs)
          product->run(left + run.a * bytes, right + run.b * bytes, nullptr, result + run.y * bytes,
                       scratch + a_bytes + b_bytes + y_bytes);
        if (!stays) move(launcher, static_cast<size_t>(bytes), {0, 0, 0, leaving}, result, k.outputs[0]);
      },
      static_cast<size_t>(a_bytes + b_bytes + y_bytes) + product->workspace_bytes());
}

}  // namespace

void register_gemm(KernelTable& table, const LibraryContext& context) {
  table.add<Gemm>([context](const Gemm& op, const KernelRequest& r) { return make_gemm(context, op, r); });
  table.add<MatMul>([context](const MatMul&, const KernelRequest& r) { return make_matmul(context, r); });
}

}  // namespace graft::cuda
