#include "runtime/ops/reduce.h"

#include "runtime/base/error.h"
#include "runtime/gradient.h"

namespace graft {

std::string_view Reduce::type() const {
  if (global_pool) return kind == Kind::max ? "GlobalMaxPool" : "GlobalAveragePool";
  switch (kind) {
    case Kind::mean: return "ReduceMean";
    case Kind::sum: return "ReduceSum";
    case Kind::max: return "ReduceMax";
    case Kind::min: return "ReduceMin";
    case Kind::prod: return "ReduceProd";
    case Kind::sum_square: return "ReduceSumSquare";
    case Kind::l1: return "ReduceL1";
    case Kind::l2: return "ReduceL2";
  }
  return "Reduce";
}

std::vector<bool> Reduce::reduced(int64_t rank) const {
  std::vector<bool> is_reduced(static_cast<size_t>(rank), all_axes);
  if (global_pool) {
    for (int64_t i = 2; i < rank; ++i) is_reduced[static_cast<size_t>(i)] = true;
  } else {
    for (int64_t axis : axes) is_reduced[static_cast<size_t>(resolve_axis(axis, rank))] = true;
  }
  return is_reduced;
}

std::vector<ValueType> Reduce::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty()) throw Error("needs an input");
  const Shape& x = inputs[0].shape;
  if (global_pool && x.rank() < 3) throw Error("needs spatial dimensions, found " + x.str());
  const auto is_reduced = reduced(x.rank());
  Shape y;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!is_reduced[i]) y.push_back(x[i]);
    else if (keep_dims) y.push_back(1);
  }
  return {{inputs[0].dtype, y}};
}

void Reduce::differentiate(GradientBuilder& grad) const {
  if (kind != Kind::mean && kind != Kind::sum) throw Error(std::string(type()) + " has no gradient", "freeze the layers up to this node");
  if (!grad.wanted(0)) return;
  const Shape& x = grad.shape(grad.input(0));
  auto spread = std::make_shared<Spread>();
  spread->target = spread->from = x;
  const auto is_reduced = reduced(x.rank());
  double count = 1;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!is_reduced[i]) continue;
    spread->from[i] = 1;
    count *= static_cast<double>(x[i]);
  }
  if (kind == Kind::mean) spread->scale = static_cast<float>(1 / count);
  grad.give(0, grad.emit(spread, {grad.grad_output()}));
}

}  // namespace graft
