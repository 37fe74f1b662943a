#include "runtime/ops/gather_nd.h"

#include <algorithm>

#include "runtime/core/dimensions.h"
#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {

std::vector<ValueType> GatherND::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs data and indices");
  const Shape &data = inputs[0].shape, &indices = inputs[1].shape;
  const std::string both = "indices " + indices.str() + " of data " + data.str();
  const bool batched = batch_dims >= 0 && batch_dims < indices.rank() && batch_dims < data.rank();
  if (!batched || indices.back() < 1 || indices.back() > data.rank() - batch_dims)
    throw Error(both + " with " + std::to_string(batch_dims) + " batch dimensions name no elements");
  if (!std::equal(indices.begin(), indices.begin() + batch_dims, data.begin()))
    throw Error(both + " differ in their batch dimensions");
  Shape y(std::vector<int64_t>(indices.begin(), indices.end() - 1));
  y.insert(y.end(), data.begin() + static_cast<int64_t>(named(indices)), data.end());
  return {{inputs[0].dtype, y}};
}

std::vector<int64_t> GatherND::starts(const Shape& data, const Strides& strides, const Tensor& indices) const {
  const std::vector<int64_t> numbers = to_int64s(indices);
  const auto batches = static_cast<size_t>(batch_dims), width = static_cast<size_t>(indices.shape().back());
  const size_t count = numbers.size() / width;
  const Shape batch(std::vector<int64_t>(data.begin(), data.begin() + batch_dims));
  const auto per_batch = batch.elements() == 0 ? 1 : count / static_cast<size_t>(batch.elements());
  std::vector<int64_t> result(count, 0);
  for (size_t i = 0; i < count; ++i) {
    auto rest = static_cast<int64_t>(i / per_batch);
    for (size_t d = batches; d-- > 0;) {
      result[i] += rest % data[d] * strides[d];
      rest /= data[d];
    }
    for (size_t c = 0; c < width; ++c) {
      const int64_t index = numbers[i * width + c], extent = data[batches + c];
      result[i] += resolve_index(index, extent) * strides[batches + c];
    }
  }
  return result;
}

void GatherND::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<GatherNDGradient>();
  op->forward = *this;
  op->input_shape = grad.shape(grad.input(0));
  grad.give(0, grad.emit(op, {grad.grad_output(), grad.input(1)}));
}

}  // namespace graft
