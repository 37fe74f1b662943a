#include "runtime/ops/quantised_product.h"

#include "runtime/core/error.h"

namespace graft {

std::vector<ValueType> QuantisedProduct::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 4) throw Error("needs an input, a weight, a scale and a bias");
  const Shape &x = inputs[0].shape, &w = inputs[1].shape;
  if (x.rank() != w.rank() || (x.rank() != 2 && x.rank() != 4) || x[1] != w[1])
    throw Error("weight is " + w.str() + " but its input is " + x.str());
  Shape y{x[0], w[0]};
  if (x.rank() == 4) {
    const Extent2d out = window.output({x[2], x[3]});
    y.push_back(out.height);
    y.push_back(out.width);
  }
  if (residual && (inputs.size() < 5 || inputs[4].shape != y || inputs[4].dtype != result_type))
    throw Error("residual does not have the shape " + y.str());
  return {{result_type, y}};
}

int64_t QuantisedProduct::multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  const Shape& w = inputs[1].shape;
  return w[0] == 0 ? 0 : outputs[0].shape.elements() * (w.elements() / w[0]);
}

}  // namespace graft
