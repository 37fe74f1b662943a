#include "runtime/ops/reduce.h"

#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/comparison.h"
#include "runtime/ops/gradient.h"
#include "runtime/ops/unary.h"

namespace graft {

std::string_view Reduce::type() const {
  if (global_pool) return kind == Kind::max ? "GlobalMaxPool" : "GlobalAveragePool";
  switch (kind) {
    case Kind::mean:
      return "ReduceMean";
    case Kind::sum:
      return "ReduceSum";
    case Kind::max:
      return "ReduceMax";
    case Kind::min:
      return "ReduceMin";
    case Kind::prod:
      return "ReduceProd";
    case Kind::sum_square:
      return "ReduceSumSquare";
    case Kind::l1:
      return "ReduceL1";
    case Kind::l2:
      return "ReduceL2";
    case Kind::log_sum:
      return "ReduceLogSum";
    case Kind::log_sum_exp:
      return "ReduceLogSumExp";
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
  if (const OperatorPtr form = resolved(inputs)) return form->infer(inputs.first(1));
  const Shape& x = inputs[0].shape;
  if (global_pool && x.rank() < 3) throw Error("needs spatial dimensions, found " + x.str());
  const auto is_reduced = reduced(x.rank());
  Shape y;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!is_reduced[i])
      y.push_back(x[i]);
    else if (keep_dims)
      y.push_back(1);
  }
  return {{inputs[0].dtype, y}};
}

OperatorPtr Reduce::resolved(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2 || !axes.empty() || all_axes) return nullptr;
  if (!inputs[1].constant) throw Error("the axes depend on the data");
  auto form = std::make_shared<Reduce>(*this);
  form->axes = to_int64s(*inputs[1].constant);
  if (form->axes.empty() && !none_means_none) form->all_axes = true;
  return form->axes.empty() && none_means_none ? nullptr : form;
}

void Reduce::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  const ValueId x = grad.input(0), y = grad.output(), dy = grad.grad_output();
  const Shape shape = grad.shape(x);
  const auto is_reduced = reduced(shape.rank());
  Shape from = shape;
  double count = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!is_reduced[i]) continue;
    from[i] = 1;
    count *= static_cast<double>(shape[i]);
  }
  const auto spread = [&](ValueId value, const char* suffix, float scale = 1) {
    auto op = std::make_shared<BroadcastTo>();
    op->target = shape;
    op->from = from;
    op->scale = scale;
    return grad.emit(op, {value}, suffix);
  };
  const auto combine = [&](Binary::Kind op, ValueId a, ValueId b, const char* suffix) {
    return grad.emit(make_binary(op), {a, b}, suffix);
  };
  const auto apply = [&](Unary::Kind op, ValueId a, const char* suffix) {
    return grad.emit(make_unary(op), {a}, suffix);
  };
  using B = Binary::Kind;
  switch (kind) {
    case Kind::sum:
      return grad.give(0, spread(dy, ""));
    case Kind::mean:
      return grad.give(0, spread(dy, "", static_cast<float>(1 / count)));
    case Kind::sum_square:
      return grad.give(0, combine(B::mul, x, spread(dy, "spread", 2), "x"));
    case Kind::l1:
      return grad.give(0, combine(B::mul, apply(Unary::Kind::sign, x, "sign"), spread(dy, "spread"), "x"));
    case Kind::l2:
      return grad.give(0, combine(B::mul, x, spread(combine(B::div, dy, y, "over_y"), "spread"), "x"));
    case Kind::prod:
      return grad.give(0, combine(B::div, spread(combine(B::mul, dy, y, "times_y"), "spread"), x, "x"));
    case Kind::log_sum:
      return grad.give(0, spread(combine(B::div, dy, apply(Unary::Kind::exp, y, "sum"), "over_sum"), "x"));
    case Kind::log_sum_exp: {
      const ValueId share = apply(Unary::Kind::exp, combine(B::sub, x, spread(y, "y"), "log_share"), "share");
      return grad.give(0, combine(B::mul, share, spread(dy, "spread"), "x"));
    }
    case Kind::max:
    case Kind::min: {  // equal winners share it
      const ValueId one = grad.graph().add_constant(grad.node().name + ":one", Tensor::of<float>({}, {1.0f}));
      const ValueId zero = grad.graph().add_constant(grad.node().name + ":zero", Tensor::of<float>({}, {0.0f}));
      const ValueId wins = grad.emit(make_comparison(Comparison::Kind::equal), {x, spread(y, "y")}, "wins");
      const ValueId winners = grad.emit(std::make_shared<Where>(), {wins, one, zero}, "winners");
      auto how_many = std::make_shared<Reduce>(*this);
      how_many->kind = Kind::sum;
      const ValueId share = combine(B::div, dy, grad.emit(how_many, {winners}, "count"), "share");
      return grad.give(0, combine(B::mul, winners, spread(share, "spread"), "x"));
    }
  }
}

int32_t sum_to(GradientBuilder& grad, int32_t gradient, const Shape& shape) {
  if (grad.shape(gradient) == shape) return gradient;
  auto sum = std::make_shared<SumTo>();
  sum->target = shape;
  return grad.emit(sum, {gradient}, "sum");
}

}  // namespace graft
