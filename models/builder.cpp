#include "models/builder.h"

#include <algorithm>
#include <cmath>

#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/lrn.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/normalise.h"
#include "runtime/ops/pool.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"

namespace graft {

Tensor NetworkBuilder::drawn(Shape shape, const Initialiser& initialiser) {
  if (!initialise_) return Tensor(DType::f32, std::move(shape));
  return drawn_weights(std::move(shape), initialiser, Random(mix(seed_, tensors_++)));
}

ValueId NetworkBuilder::vector(const std::string& name, int64_t n, float value) {
  Tensor t(DType::f32, {n});
  std::fill(t.data<float>().begin(), t.data<float>().end(), value);
  return graph_.add_constant(name, std::move(t));
}

Graph NetworkBuilder::take(ValueId output) { return take(std::vector{output}); }

Graph NetworkBuilder::take(const std::vector<ValueId>& outputs) {
  graph_.outputs = outputs;
  for (ValueId id : graph_.inputs) graph_.value(id).shape[0] = kOpenDim;
  return std::move(graph_);
}

ValueId NetworkBuilder::picture(int64_t channels, int64_t height, int64_t width) {
  return graph_.add_input("input", DType::f32, {1, channels, height, width});
}

ValueId NetworkBuilder::convolution(const std::string& name, ValueId x, int64_t out, const ConvolutionOptions& o) {
  auto op = std::make_shared<Convolution>();
  const int64_t vertical = o.valid ? 0 : o.padding.height >= 0 ? o.padding.height : o.kernel.height / 2;
  const int64_t horizontal = o.valid ? 0 : o.padding.width >= 0 ? o.padding.width : o.kernel.width / 2;
  op->window.kernel = o.kernel;
  op->window.stride = {o.stride, o.stride};
  op->window.padding = {vertical, horizontal, vertical, horizontal};
  op->groups = o.groups;
  std::vector<ValueId> inputs{
      x, graph_.add_constant(name + ".weight",
                             drawn({out, channels(x) / o.groups, o.kernel.height, o.kernel.width}, convolutions))};
  if (o.bias) inputs.push_back(vector(name + ".bias", out, o.bias_value));
  return graph_.add(name, op, inputs);
}

ValueId NetworkBuilder::batch_norm(const std::string& name, ValueId x) {
  const int64_t n = channels(x);
  const ValueId scale = vector(name + (torch_names ? ".weight" : ".scale"), n, 1), bias = vector(name + ".bias", n, 0),
                mean = vector(name + (torch_names ? ".running_mean" : ".mean"), n, 0),
                variance = vector(name + (torch_names ? ".running_var" : ".variance"), n, 1);
  auto op = std::make_shared<BatchNorm>();
  op->epsilon = epsilon;
  return graph_.add(name, op, {x, scale, bias, mean, variance});
}

ValueId NetworkBuilder::activation(const std::string& name, ValueId x, Activation kind) {
  using Kind = Unary::Kind;
  switch (kind) {
    case Activation::none:
      return x;
    case Activation::relu:
      return relu(name, x);
    case Activation::relu6:
      return relu6(name, x);
    case Activation::silu:
      return graph_.add(name, make_unary(Kind::swish, 1), {x});
    case Activation::gelu:
      return graph_.add(name, make_unary(Kind::gelu), {x});
    case Activation::hard_swish:
      return graph_.add(name, make_unary(Kind::hard_swish), {x});
    case Activation::hard_sigmoid:
      return graph_.add(name, make_unary(Kind::hard_sigmoid, 1.0f / 6, 0.5f), {x});
    case Activation::sigmoid:
      return graph_.add(name, make_unary(Kind::sigmoid), {x});
  }
  return x;
}

ValueId NetworkBuilder::multiply(const std::string& name, ValueId a, ValueId b) {
  return graph_.add(name, make_binary(Binary::Kind::mul), {a, b});
}
ValueId NetworkBuilder::matrix_product(const std::string& name, ValueId a, ValueId b) {
  return graph_.add(name, std::make_shared<MatMul>(), {a, b});
}
ValueId NetworkBuilder::softmax(const std::string& name, ValueId x) {
  return graph_.add(name, std::make_shared<Softmax>(), {x});
}

ValueId NetworkBuilder::transpose(const std::string& name, ValueId x, const std::vector<int64_t>& permutation) {
  auto op = std::make_shared<Transpose>();
  op->permutation = permutation;
  return graph_.add(name, op, {x});
}

ValueId NetworkBuilder::reshape(const std::string& name, ValueId x, const std::vector<int64_t>& target) {
  const auto rank = static_cast<int64_t>(target.size());
  return graph_.add(name, std::make_shared<Reshape>(),
                    {x, graph_.add_constant(name + ".shape", Tensor::copy_of<int64_t>({rank}, target))});
}

ValueId NetworkBuilder::slice(const std::string& name, ValueId x, int64_t axis, int64_t first, int64_t last) {
  auto op = std::make_shared<Slice>();
  op->starts = {first};
  op->ends = {last};
  op->axes = {axis};
  return graph_.add(name, op, {x});
}

ValueId NetworkBuilder::layer_norm(const std::string& name, ValueId x) {
  auto op = std::make_shared<Normalise>();
  op->epsilon = epsilon;
  const int64_t n = shape(x).back();
  return graph_.add(name, op, {x, vector(name + ".weight", n, 1), vector(name + ".bias", n, 0)});
}

ValueId NetworkBuilder::linear(const std::string& name, ValueId x, int64_t out, bool bias) {
  const Shape from = shape(x);
  const int64_t width = from.back();
  ValueId rows = x;
  if (from.rank() != 2) rows = reshape(name + ".rows", x, {-1, width});
  auto op = std::make_shared<Gemm>();
  op->transpose_b = Transpose2d::yes;
  std::vector<ValueId> inputs{rows, graph_.add_constant(name + ".weight", drawn({out, width}, denses))};
  if (bias) inputs.push_back(vector(name + ".bias", out, 0));
  const ValueId y = graph_.add(name, op, inputs);
  if (from.rank() == 2) return y;
  std::vector<int64_t> target = from;
  target[0] = -1;
  target.back() = out;
  return reshape(name + ".result", y, target);
}

ValueId NetworkBuilder::parameter(const std::string& name, const Shape& shape, float value) {
  Tensor t(DType::f32, shape);
  std::fill(t.data<float>().begin(), t.data<float>().end(), value);
  return graph_.add_constant(name, std::move(t));
}

ValueId NetworkBuilder::drawn_parameter(const std::string& name, const Shape& shape, float sigma) {
  return graph_.add_constant(name, drawn(shape, {Initialiser::Kind::gaussian, sigma}));
}

ValueId NetworkBuilder::repeated_for_batch(const std::string& name, ValueId x, ValueId pictures) {
  const Shape one = shape(x);
  const auto append = [&](const std::string& suffix, OperatorPtr op, std::vector<ValueId> inputs, DType dtype,
                          Shape type) {
    graph_.append_node(name + suffix, std::move(op), std::move(inputs), {name + suffix});
    const ValueId made = graph_.nodes.back().outputs[0];
    graph_.value(made).dtype = dtype;
    graph_.value(made).shape = std::move(type);
    return made;
  };
  auto extent = std::make_shared<ShapeOf>();
  extent->end = 1;
  auto join = std::make_shared<Concat>();
  join->axis = 0;
  const std::vector<int64_t> rest(one.begin() + 1, one.end());
  const ValueId batch = append(".batch", extent, {pictures}, DType::i64, {1});
  const ValueId others = graph_.add_constant(name + ".extents", Tensor::copy_of<int64_t>({one.rank() - 1}, rest));
  const ValueId target = append(".shape", join, {batch, others}, DType::i64, {one.rank()});
  return append("", std::make_shared<Expand>(), {x, target}, DType::f32, one);
}

ValueId NetworkBuilder::number(const std::string& name, float value) {
  return graph_.add_constant(name, Tensor::of<float>({}, {value}));
}

ValueId NetworkBuilder::squeeze_excitation(const std::string& pool, const std::string& reduce,
                                           const std::string& expand, ValueId x, int64_t squeezed, Activation inner,
                                           Activation gate) {
  auto mean = std::make_shared<Reduce>();
  mean->global_pool = true;
  ValueId y = graph_.add(pool, mean, {x});
  y = activation(reduce + ".act", convolution(reduce, y, squeezed, {.bias = true}), inner);
  y = activation(expand + ".gate", convolution(expand, y, channels(x), {.bias = true}), gate);
  return multiply(expand + ".scaled", x, y);
}

ValueId NetworkBuilder::relu(const std::string& name, ValueId x) {
  return graph_.add(name, make_unary(Unary::Kind::relu), {x});
}
ValueId NetworkBuilder::relu6(const std::string& name, ValueId x) {
  return graph_.add(name, make_unary(Unary::Kind::clip, 0, 6), {x});
}
ValueId NetworkBuilder::tanh(const std::string& name, ValueId x) {
  return graph_.add(name, make_unary(Unary::Kind::tanh), {x});
}
ValueId NetworkBuilder::add(const std::string& name, ValueId a, ValueId b) {
  return graph_.add(name, make_binary(Binary::Kind::add), {a, b});
}
ValueId NetworkBuilder::concat(const std::string& name, std::vector<ValueId> parts) {
  return graph_.add(name, std::make_shared<Concat>(), std::move(parts));
}

ValueId NetworkBuilder::max_pool(const std::string& name, ValueId x, int64_t kernel, int64_t stride, int64_t padding,
                                 Rounding rounding) {
  auto op = std::make_shared<MaxPool>();
  op->window.kernel = {kernel, kernel};
  op->window.stride = {stride, stride};
  op->window.padding = {padding, padding, padding, padding};
  op->window.rounding = rounding;
  return graph_.add_node(name, op, {x})[0];
}

ValueId NetworkBuilder::average_pool(const std::string& name, ValueId x, int64_t kernel, int64_t stride,
                                     int64_t padding) {
  auto op = std::make_shared<AveragePool>();
  op->window.kernel = {kernel, kernel};
  op->window.stride = {stride, stride};
  op->window.padding = {padding, padding, padding, padding};
  return graph_.add(name, op, {x});
}

ValueId NetworkBuilder::response_norm(const std::string& name, ValueId x, float k) {
  auto op = std::make_shared<Lrn>();
  op->size = 5;
  op->alpha = 5e-4f;  // ONNX divides by the size; the paper's 1e-4 is a channel's
  op->beta = 0.75f;
  op->bias = k;
  return graph_.add(name, op, {x});
}

ValueId NetworkBuilder::dropout(const std::string& name, ValueId x, float ratio) {
  auto op = std::make_shared<Dropout>();
  op->ratio = ratio;
  op->stream = dropouts_++;
  return graph_.add(name, op, {x});
}

ValueId NetworkBuilder::flatten(const std::string& name, ValueId x) {
  return graph_.add(name, std::make_shared<Flatten>(), {x});
}

ValueId NetworkBuilder::global_average(const std::string& name, ValueId x) {
  auto pool = std::make_shared<Reduce>();
  pool->global_pool = true;
  return flatten(name + ".flatten", graph_.add(name, pool, {x}));
}

ValueId NetworkBuilder::dense(const std::string& name, ValueId x, int64_t out, float bias_value) {
  auto op = std::make_shared<Gemm>();
  op->transpose_b = Transpose2d::yes;
  const ValueId weight = graph_.add_constant(name + ".weight", drawn({out, channels(x)}, denses));
  return graph_.add(name, op, {x, weight, vector(name + ".bias", out, bias_value)});
}

}  // namespace graft
