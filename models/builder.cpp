#include "models/builder.h"

#include <algorithm>
#include <cmath>

#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/unary.h"

namespace graft {

Tensor NetworkBuilder::gaussian(Shape shape, float sigma) {
  Tensor t(DType::f32, std::move(shape));
  Random random(mix(seed_, tensors_++));
  for (float& v : t.data<float>()) v = sigma * random.normal();
  return t;
}

Graph NetworkBuilder::take(ValueId output) {
  graph_.outputs = {output};
  for (ValueId id : graph_.inputs) graph_.value(id).shape[0] = kOpenDim;
  return std::move(graph_);
}

ValueId NetworkBuilder::picture(int64_t channels, int64_t height, int64_t width) { return graph_.add_input("input", DType::f32, {1, channels, height, width}); }

ValueId NetworkBuilder::convolution(const std::string& name, ValueId x, int64_t out, int64_t kernel, int64_t stride) {
  auto op = std::make_shared<Convolution>();
  const int64_t pad = kernel / 2;
  op->window.kernel = {kernel, kernel};
  op->window.stride = {stride, stride};
  op->window.padding = {pad, pad, pad, pad};
  const float sigma = std::sqrt(2.0f / static_cast<float>(kernel * kernel * out));
  const ValueId weight = graph_.add_constant(name + ".weight", gaussian({out, channels(x), kernel, kernel}, sigma));
  return graph_.add(name, op, {x, weight});
}

ValueId NetworkBuilder::batch_norm(const std::string& name, ValueId x) {
  const auto filled = [&](const char* part, float v) {
    Tensor t(DType::f32, {channels(x)});
    std::fill(t.data<float>().begin(), t.data<float>().end(), v);
    return graph_.add_constant(name + part, std::move(t));
  };
  const ValueId scale = filled(".scale", 1), bias = filled(".bias", 0), mean = filled(".mean", 0), variance = filled(".variance", 1);
  return graph_.add(name, std::make_shared<BatchNorm>(), {x, scale, bias, mean, variance});
}

ValueId NetworkBuilder::relu(const std::string& name, ValueId x) { return graph_.add(name, make_unary(Unary::Kind::relu), {x}); }
ValueId NetworkBuilder::add(const std::string& name, ValueId a, ValueId b) { return graph_.add(name, make_binary(Binary::Kind::add), {a, b}); }

ValueId NetworkBuilder::global_average(const std::string& name, ValueId x) {
  auto pool = std::make_shared<Reduce>();
  pool->global_pool = true;
  const ValueId pooled = graph_.add(name, pool, {x});
  return graph_.add(name + ".flatten", std::make_shared<Flatten>(), {pooled});
}

ValueId NetworkBuilder::dense(const std::string& name, ValueId x, int64_t out) {
  auto op = std::make_shared<Gemm>();
  op->transpose_b = Transpose2d::yes;
  const ValueId weight = graph_.add_constant(name + ".weight", gaussian({out, channels(x)}, 0.01f));
  const ValueId bias = graph_.add_constant(name + ".bias", Tensor::zeros(DType::f32, {out}));
  return graph_.add(name, op, {x, weight, bias});
}

}  // namespace graft
