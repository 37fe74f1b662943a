#include "runtime/ops/volume_convolution.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/movement.h"

namespace graft {

std::vector<ValueType> VolumeConvolution::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs x and a weight");
  const Shape &x = inputs[0].shape, &w = inputs[1].shape;
  if (x.rank() != 5 || w.rank() != 5 || groups < 1 || x[1] != w[1] * groups || w[0] % groups != 0)
    throw Error("weight " + w.str() + " in " + std::to_string(groups) + " groups does not fit an input of " + x.str());
  Shape y{x[0], w[0]};
  constexpr int64_t kLargest = 1 << 20;
  for (size_t i = 0; i < 3; ++i) {
    for (const int64_t number : {stride[i], dilation[i], before[i], after[i], w[i + 2]})
      if (number < 0 || number > kLargest) throw Error("a window of " + std::to_string(number) + " has no sense");
    const int64_t reach = dilation[i] * (w[i + 2] - 1) + 1, room = x[i + 2] + before[i] + after[i];
    if (stride[i] < 1 || dilation[i] < 1 || w[i + 2] < 1 || room < reach)
      throw Error("a window of " + std::to_string(w[i + 2]) + " does not fit an input of " + std::to_string(x[i + 2]));
    y.push_back((room - reach) / stride[i] + 1);
  }
  return {{inputs[0].dtype, y}};
}

int64_t VolumeConvolution::multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  const Shape& w = inputs[1].shape;
  return outputs[0].shape.elements() * w[1] * w[2] * w[3] * w[4];
}

ValueId VolumeConvolution::expand(Expansion& to) const {
  const Shape x = to.shape(to.input(0)), w = to.shape(to.input(1));
  const auto along = static_cast<size_t>(std::min_element(w.begin() + 2, w.end()) - w.begin()) - 2;
  const size_t p = along == 0 ? 1 : 0, q = along == 2 ? 1 : 2;  // the other two
  const auto dimension = [](size_t i) { return static_cast<int64_t>(i) + 2; };

  ValueId maps = to.input(0);
  if (before[along] > 0 || after[along] > 0) {
    auto pad = std::make_shared<Pad>();
    pad->pads.assign(10, 0);
    pad->pads[along + 2] = before[along];
    pad->pads[along + 7] = after[along];
    maps = to.emit(pad, {maps});
  }
  maps = to.transpose(maps, {0, dimension(along), 1, dimension(p), dimension(q)});
  const int64_t places =
      (x[along + 2] + before[along] + after[along] - dilation[along] * (w[along + 2] - 1) - 1) / stride[along] + 1;
  auto product = std::make_shared<Convolution>();
  product->window.kernel = {w[p + 2], w[q + 2]};
  product->window.stride = {stride[p], stride[q]};
  product->window.dilation = {dilation[p], dilation[q]};
  product->window.padding = {before[p], before[q], after[p], after[q]};
  product->groups = groups;
  ValueId sum = kNoValue;
  for (int64_t i = 0; i < w[along + 2]; ++i) {
    auto taken = std::make_shared<Slice>();
    taken->starts = {i * dilation[along]};
    taken->ends = {i * dilation[along] + (places - 1) * stride[along] + 1};
    taken->axes = {1};
    taken->steps = {stride[along]};
    auto plane = std::make_shared<Gather>();
    plane->axis = dimension(along);
    std::vector<ValueId> inputs{to.reshape(to.emit(taken, {maps}), {-1, x[1], x[p + 2], x[q + 2]}),
                                to.emit(plane, {to.input(1), to.constant(Tensor::of<int64_t>({}, {i}))})};
    if (i == 0 && to.input(2) != kNoValue) inputs.push_back(to.input(2));
    const ValueId part = to.emit(product, inputs);
    sum = sum == kNoValue ? part : to.emit(make_binary(Binary::Kind::add), {sum, part});
  }
  const Shape y = to.shape(sum);
  const ValueId apart = to.reshape(sum, {-1, places, w[0], y[2], y[3]});
  std::vector<int64_t> back{0, 2, 0, 0, 0};
  back[along + 2] = 1;
  back[p + 2] = 3;
  back[q + 2] = 4;
  return to.transpose(apart, back);
}

}  // namespace graft
