#include "runtime/ops/normalise.h"

#include "runtime/core/error.h"
#include "runtime/ops/broadcast.h"
#include "runtime/ops/gradient.h"

namespace graft {

std::string_view Normalise::type() const {
  switch (over) {
    case Over::instance:
      return "InstanceNormalization";
    case Over::group:
      return "GroupNormalization";
    case Over::layer:
      return root_mean_square ? "RMSNormalization" : "LayerNormalization";
  }
  return "Normalise";
}

std::vector<ValueType> Normalise::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs an input and a scale");
  const Shape& x = inputs[0].shape;
  Shape statistics = x;
  if (over == Over::layer) {
    const auto first = static_cast<size_t>(resolve_axis(axis, x.rank()));
    const Shape inner(std::vector<int64_t>(x.begin() + static_cast<int64_t>(first), x.end()));
    for (size_t i = 1; i < inputs.size() && i < 3; ++i)
      if (broadcast(inner, inputs[i].shape) != inner)
        throw Error("scale or bias of " + inputs[i].shape.str() + " does not fit " + inner.str());
    for (size_t i = first; i < statistics.size(); ++i) statistics[i] = 1;
  } else {
    if (x.rank() < 3) throw Error("needs an input N×C×…, found " + x.str());
    if (over == Over::group && (groups < 1 || x[1] % groups != 0))
      throw Error(std::to_string(x[1]) + " channels cannot be divided into " + std::to_string(groups) + " groups");
    for (size_t i = 1; i < inputs.size() && i < 3; ++i) {
      const bool fits = inputs[i].shape == Shape{x[1]} || (over == Over::group && inputs[i].shape == Shape{groups});
      if (!fits)
        throw Error("scale or bias is " + inputs[i].shape.str() + " but the input has " + std::to_string(x[1]) +
                    " channels");
    }
  }
  if (over != Over::layer || root_mean_square) return {{inputs[0].dtype, x}};
  return {{inputs[0].dtype, x}, {inputs[0].dtype, statistics}, {inputs[0].dtype, statistics}};
}

void Normalise::differentiate(GradientBuilder& grad) const {
  auto op = std::make_shared<NormaliseGradient>();
  op->forward = *this;
  const auto results = grad.emit_all(op, {grad.grad_output(), grad.input(0), grad.input(1)});
  for (size_t i = 0; i < 3; ++i)
    if (grad.wanted(i)) grad.give(i, results[i]);
}

OperatorPtr Normalise::row_form(std::span<const ValueType> inputs) const {
  const int64_t rank = inputs[0].shape.rank();
  if (over != Over::layer || resolve_axis(axis, rank) != rank - 1) return nullptr;
  for (const ValueType& parameter : inputs.subspan(1))
    if (parameter.shape.rank() > 1) return nullptr;
  auto form = std::make_shared<Normalise>(*this);
  form->axis = 1;
  return form;
}

}  // namespace graft
