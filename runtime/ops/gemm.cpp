#include "runtime/ops/gemm.h"

#include <numeric>

#include "runtime/core/error.h"
#include "runtime/ops/broadcast.h"
#include "runtime/ops/gradient.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"

namespace graft {
namespace {

OperatorPtr product(Transpose2d a, Transpose2d b, float alpha, bool weight_like) {
  auto op = std::make_shared<Gemm>();
  op->transpose_a = a;
  op->transpose_b = b;
  op->alpha = alpha;
  op->weight_like = weight_like;
  return op;
}

Transpose2d operator!(Transpose2d t) { return t == Transpose2d::no ? Transpose2d::yes : Transpose2d::no; }

}  // namespace

std::vector<ValueType> Gemm::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs two matrices");
  const Shape &a = inputs[0].shape, &b = inputs[1].shape;
  if (a.rank() != 2 || b.rank() != 2) throw Error("needs two matrices, found " + a.str() + " and " + b.str());
  const bool ta = transpose_a == Transpose2d::yes, tb = transpose_b == Transpose2d::yes;
  const int64_t m = a[ta ? 1 : 0], k = a[ta ? 0 : 1], n = b[tb ? 0 : 1];
  if (b[tb ? 1 : 0] != k) {
    throw Error("weight takes " + std::to_string(b[tb ? 1 : 0]) + " features but its input has " + std::to_string(k),
                "is this the right model for this picture size?");
  }
  const Shape y{m, n};
  if (inputs.size() > 2 && broadcast(inputs[2].shape, y) != y)
    throw Error("bias " + inputs[2].shape.str() + " does not fit " + y.str());
  if (tail.residual && (inputs.size() < 4 || inputs[3].shape != y))
    throw Error("residual does not have the shape " + y.str());
  return {{inputs[0].dtype, y}};
}

int64_t Gemm::multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return outputs[0].shape.elements() * inputs[0].shape[transpose_a == Transpose2d::yes ? 0 : 1];
}

OperatorPtr Gemm::with_epilogue(const Epilogue& epilogue) const {
  auto fused = std::make_shared<Gemm>(*this);
  fused->tail = epilogue;
  return fused;
}

void Gemm::differentiate(GradientBuilder& grad) const {
  using enum Transpose2d;
  const ValueId dy = grad.through_epilogue(tail), a = grad.input(0), b = grad.input(1);
  if (grad.wanted(0)) {
    // dA = α dY·op(B)ᵀ, transposed where A itself was.
    grad.give(0, transpose_a == no ? grad.emit(product(no, !transpose_b, alpha, false), {dy, b}, "a")
                                   : grad.emit(product(transpose_b, yes, alpha, false), {b, dy}, "a"));
  }
  if (grad.wanted(1)) {
    // dB = α op(A)ᵀ·dY; Bᵀ stored: α dYᵀ·op(A).
    grad.give(1, transpose_b == no ? grad.emit(product(!transpose_a, no, alpha, true), {a, dy}, "b")
                                   : grad.emit(product(yes, transpose_a, alpha, true), {dy, a}, "b"));
  }
  if (grad.wanted(2)) {
    auto sum = std::make_shared<SumTo>();
    sum->target = grad.shape(grad.input(2));
    sum->scale = beta;
    grad.give(2, grad.emit(sum, {dy}, "bias"));
  }
}

std::vector<ValueType> MatMul::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() != 2 || inputs[0].shape.empty() || inputs[1].shape.empty()) throw Error("needs two matrices");
  Shape a = inputs[0].shape, b = inputs[1].shape;
  const bool vector_a = a.rank() == 1, vector_b = b.rank() == 1;
  if (vector_a) a.insert(a.begin(), 1);
  if (vector_b) b.push_back(1);
  if (a.back() != b[b.size() - 2]) {
    throw Error(
        "weight takes " + std::to_string(b[b.size() - 2]) + " features but its input has " + std::to_string(a.back()),
        "is this the right model for this picture size?");
  }
  Shape y = broadcast(Shape(std::vector<int64_t>(a.begin(), a.end() - 2)),
                      Shape(std::vector<int64_t>(b.begin(), b.end() - 2)));
  if (!vector_a) y.push_back(a[a.size() - 2]);
  if (!vector_b) y.push_back(b.back());
  return {{inputs[0].dtype, y}};
}

int64_t MatMul::multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return outputs[0].shape.elements() * inputs[0].shape.back();
}

namespace {

ValueId view(GradientBuilder& grad, ValueId x, const Shape& shape, const char* suffix) {
  if (grad.shape(x) == shape) return x;
  auto op = std::make_shared<ReshapeTo>();
  op->target = shape;
  return grad.emit(op, {x}, suffix);
}

/// The matrices of a batch, each transposed.
ValueId transposed(GradientBuilder& grad, ValueId x, const char* suffix) {
  auto op = std::make_shared<Transpose>();
  op->permutation.resize(grad.shape(x).size());
  std::iota(op->permutation.begin(), op->permutation.end(), int64_t{0});
  std::swap(op->permutation.end()[-1], op->permutation.end()[-2]);
  return grad.emit(op, {x}, suffix);
}

}  // namespace

/// dA = dY·Bᵀ, dB = Aᵀ·dY for each pair of matrices, summed where a matrix was used for several. One matrix B serves
/// all rows of A: then both are one product.
void MatMul::differentiate(GradientBuilder& grad) const {
  using enum Transpose2d;
  const Shape a_shape = grad.shape(grad.input(0)), b_shape = grad.shape(grad.input(1));
  Shape a = a_shape, b = b_shape;  // vectors as matrices
  if (a.rank() == 1) a.insert(a.begin(), 1);
  if (b.rank() == 1) b.push_back(1);
  Shape y = broadcast(Shape(std::vector<int64_t>(a.begin(), a.end() - 2)),
                      Shape(std::vector<int64_t>(b.begin(), b.end() - 2)));
  y.insert(y.end(), {a.end()[-2], b.back()});
  if (b.rank() == 2) {
    const int64_t rows = Shape(std::vector<int64_t>(a.begin(), a.end() - 1)).elements();
    const ValueId dy = view(grad, grad.grad_output(), {rows, b[1]}, "y_rows");
    if (grad.wanted(0)) {
      const ValueId da = grad.emit(product(no, yes, 1, false), {dy, view(grad, grad.input(1), b, "b_matrix")}, "a");
      grad.give(0, view(grad, da, a_shape, "a_shape"));
    }
    if (grad.wanted(1)) {
      const ValueId x = view(grad, grad.input(0), {rows, b[0]}, "a_rows");
      grad.give(1, view(grad, grad.emit(product(yes, no, 1, true), {x, dy}, "b"), b_shape, "b_shape"));
    }
    return;
  }
  const ValueId dy = view(grad, grad.grad_output(), y, "y_matrices");
  if (grad.wanted(0)) {
    const ValueId across = transposed(grad, grad.input(1), "b_across");
    const ValueId da = sum_to(grad, grad.emit(std::make_shared<MatMul>(), {dy, across}, "a"), a);
    grad.give(0, view(grad, da, a_shape, "a_shape"));
  }
  if (grad.wanted(1)) {
    const ValueId across = transposed(grad, view(grad, grad.input(0), a, "a_matrices"), "a_across");
    grad.give(1, sum_to(grad, grad.emit(std::make_shared<MatMul>(), {across, dy}, "b"), b));
  }
}

OperatorPtr MatMul::row_form(std::span<const ValueType> inputs) const {
  return inputs[1].shape.rank() == 2 ? std::make_shared<MatMul>() : nullptr;
}

}  // namespace graft
