#include "runtime/ops/of_shapes.h"

#include <cstdint>
#include <string>

#include "runtime/core/error.h"

namespace graft {

std::vector<ValueType> EyeLike::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty() || inputs[0].shape.rank() != 2) throw Error("needs a matrix");
  if (k > INT32_MAX || k < INT32_MIN) throw Error("diagonal " + std::to_string(k) + " lies outside");
  return {{to.value_or(inputs[0].dtype), inputs[0].shape}};
}

std::vector<Tensor> EyeLike::results_from_types(std::span<const ValueType> inputs) const {
  const Shape& shape = inputs[0].shape;
  Tensor eye = Tensor::zeros(DType::f32, shape);
  for (int64_t i = 0; i < shape[0]; ++i)
    if (i + k >= 0 && i + k < shape[1]) eye.data<float>()[static_cast<size_t>(i * shape[1] + i + k)] = 1;
  std::vector<Tensor> results;
  results.push_back(cast(eye, to.value_or(inputs[0].dtype)));
  return results;
}

std::vector<ValueType> NonZero::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty() || !inputs[0].constant)
    throw Error("how many elements are not zero depends on the data", {}, ErrorCode::unsupported);
  return {{DType::i64, results_from_types(inputs)[0].shape()}};
}

std::vector<Tensor> NonZero::results_from_types(std::span<const ValueType> inputs) const {
  const Tensor content = cast(*inputs[0].constant, DType::f32);
  const Shape& shape = content.shape();
  std::vector<size_t> places;
  for (size_t i = 0; i < content.data<float>().size(); ++i)
    if (content.data<float>()[i] != 0) places.push_back(i);
  Tensor coordinates(DType::i64, {shape.rank(), static_cast<int64_t>(places.size())});
  for (size_t i = 0; i < places.size(); ++i) {
    auto rest = static_cast<int64_t>(places[i]);
    for (size_t d = shape.size(); d-- > 0; rest /= shape[d])
      coordinates.data<int64_t>()[d * places.size() + i] = rest % shape[d];
  }
  std::vector<Tensor> results;
  results.push_back(std::move(coordinates));
  return results;
}

}  // namespace graft
