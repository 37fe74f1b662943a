// What is computed in bfloat16, against the same in float32 on the same rounded numbers.
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/pool.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"
#include "tests/runtime/cpu/bf16.h"

namespace graft {
namespace {

class Bf16 : public NeedsBf16 {
 protected:
  ValueId input(const Shape& shape) { return graph_.add_input("x", DType::f32, shape); }
  ValueId weights(const std::string& name, const Shape& shape, uint64_t seed) {
    return graph_.add_constant(name, rounded(shape, seed));
  }
  ValueId convolve(const std::string& name, ValueId x, const Shape& weight, const Window2d& window, int64_t groups = 1,
                   bool bias = true) {
    auto op = std::make_shared<Convolution>();
    op->window = window;
    op->window.kernel = {weight[2], weight[3]};
    op->groups = groups;
    std::vector<ValueId> inputs{x, weights(name + ":w", weight, 7)};
    if (bias) inputs.push_back(weights(name + ":b", {weight[0]}, 8));
    return graph_.add(name, op, inputs);
  }
  /// Something behind a value, so that it is bfloat16 itself: a convolution that changes nothing.
  ValueId kept(ValueId x) {
    const int64_t channels = graph_.value(x).shape[1];
    Tensor identity = Tensor::zeros(DType::f32, {channels, channels, 1, 1});
    for (int64_t c = 0; c < channels; ++c) identity.data<float>()[static_cast<size_t>(c * channels + c)] = 1;
    const ValueId w = graph_.add_constant("identity", std::move(identity));
    auto op = std::make_shared<Convolution>();
    op->window.kernel = {1, 1};
    return graph_.add("kept", op, {x, w});
  }
  ValueId activate(ValueId x, Unary::Kind kind, float alpha = 0, float beta = 0) {
    auto op = std::make_shared<Unary>();
    op->kind = kind;
    op->alpha = alpha;
    op->beta = beta;
    return graph_.add("activation", op, {x});
  }

  static std::vector<float> run(const Graph& graph, const Backend& backend) {
    Plan plan = compile_inference(graph, {graph.value(graph.inputs[0]).shape[0]}, backend);
    const Tensor x = rounded(graph.value(graph.inputs[0]).shape, 1);
    copy_from_plain(x.raw(), plan.input(0));
    plan.forward();
    plan.forward();  // scratch memory is used again
    const View y = plan.output(0);
    EXPECT_EQ(y.dtype, DType::f32) << "what leaves the graph is not rounded";
    std::vector<float> result(static_cast<size_t>(y.shape.elements()));
    copy_to_plain(y, result.data());
    return result;
  }

  /// The largest difference, as a part of the root mean square of the results.
  double difference(ValueId y) {
    graph_.outputs = {y};
    const std::vector<float> floats = run(graph_, cpu_backend()), halves = run(graph_, *bf16_cpu_backend());
    double size = 0, largest = 0;
    for (size_t i = 0; i < floats.size(); ++i) {
      EXPECT_TRUE(std::isfinite(halves[i])) << i;
      size += static_cast<double>(floats[i]) * static_cast<double>(floats[i]);
      largest = std::max(largest, std::fabs(static_cast<double>(floats[i]) - static_cast<double>(halves[i])));
    }
    return largest / std::sqrt(size / static_cast<double>(floats.size()));
  }

  static constexpr double kExact = 2e-5;          // float32 sums in another order
  static constexpr double kRounded = 5 * 0x1p-8;  // results up to five times the mean, rounded once
  Graph graph_;
};

Window2d window(int64_t stride, int64_t padding, int64_t dilation = 1) {
  Window2d w;
  w.stride = {stride, stride};
  w.padding = {padding, padding, padding, padding};
  w.dilation = {dilation, dilation};
  return w;
}

TEST_F(Bf16, PointwiseConvolution) {
  EXPECT_LT(difference(convolve("c", input({2, 64, 9, 7}), {96, 64, 1, 1}, window(1, 0))), kExact);
}
TEST_F(Bf16, PointwiseWithAStride) {
  EXPECT_LT(difference(convolve("c", input({2, 32, 9, 7}), {48, 32, 1, 1}, window(2, 0))), kExact);
}
TEST_F(Bf16, OddChannels) {
  EXPECT_LT(difference(convolve("c", input({3, 5, 8, 6}), {7, 5, 3, 3}, window(1, 1))), kExact);
}
TEST_F(Bf16, FewColorsAndALargeKernel) {
  EXPECT_LT(difference(convolve("c", input({2, 3, 40, 33}), {64, 3, 7, 7}, window(2, 3))), kExact);
}
TEST_F(Bf16, Dilation) {
  EXPECT_LT(difference(convolve("c", input({1, 16, 13, 11}), {16, 16, 3, 3}, window(1, 2, 2))), kExact);
}
TEST_F(Bf16, ManyMoreChannelsThanPixels) {
  EXPECT_LT(difference(convolve("c", input({1, 512, 3, 3}), {130, 512, 3, 3}, window(1, 1))), kExact);
}
TEST_F(Bf16, Grouped) {
  EXPECT_LT(difference(convolve("c", input({2, 12, 6, 5}), {8, 3, 3, 3}, window(1, 1), 4)), kExact);
}
TEST_F(Bf16, NoBias) {
  EXPECT_LT(difference(convolve("c", input({2, 16, 5, 5}), {33, 16, 3, 3}, window(2, 1), 1, false)), kExact);
}

TEST_F(Bf16, WinogradRoundsTwiceAsMuch) {
  for (const Shape& x : {Shape{2, 32, 14, 14}, Shape{4, 16, 9, 11}, Shape{1, 64, 28, 28}}) {
    graph_ = Graph();
    const ValueId y = convolve("c", input(x), {48, x[1], 3, 3}, window(1, 1));
    EXPECT_LT(difference(kept(activate(y, Unary::Kind::relu))), 3 * kRounded) << x.str();
  }
}

TEST_F(Bf16, ResidualAndActivations) {
  for (const auto kind : {Unary::Kind::relu, Unary::Kind::clip, Unary::Kind::leaky_relu}) {
    for (const Shape& w : {Shape{32, 32, 1, 1}, Shape{32, 32, 3, 3}}) {
      graph_ = Graph();
      const ValueId x = convolve("first", input({2, 16, 12, 12}), {32, 16, 1, 1}, window(1, 0));
      const ValueId sum =
          graph_.add("sum", make_binary(Binary::Kind::add), {convolve("c", x, w, window(1, w[2] / 2)), x});
      EXPECT_LT(difference(kept(activate(sum, kind, kind == Unary::Kind::leaky_relu ? 0.1f : 0.0f, 6.0f))),
                5 * kRounded);
    }
  }
}

TEST_F(Bf16, Depthwise) {
  for (const int64_t kernel : {3, 5, 2})
    for (const int64_t stride : {1, 2})
      for (const int64_t channels : {32, 20}) {
        graph_ = Graph();
        const ValueId y = convolve("c", input({2, channels, 17, 14}), {channels, 1, kernel, kernel},
                                   window(stride, kernel / 2), channels);
        EXPECT_LT(difference(kept(activate(y, Unary::Kind::clip, 0, 6))), kRounded)
            << kernel << " " << stride << " " << channels;
      }
}

TEST_F(Bf16, DenseLayers) {
  for (const auto& [rows, depth, columns] : {std::array<int64_t, 3>{1, 4096, 70}, {5, 33, 10}, {200, 64, 130}}) {
    graph_ = Graph();
    const ValueId x = convolve("c", input({rows, 8, 1, 1}), {depth, 8, 1, 1}, window(1, 0));
    auto flatten = std::make_shared<Flatten>();
    auto dense = std::make_shared<Gemm>();
    dense->transpose_b = Transpose2d::yes;
    const ValueId y = graph_.add(
        "dense", dense,
        {graph_.add("flat", flatten, {x}), weights("w", {columns, depth}, 3), weights("bias", {columns}, 4)});
    EXPECT_LT(difference(y), kRounded) << rows;
  }
}

TEST_F(Bf16, Pooling) {
  const auto pooled = [&](OperatorPtr op) {
    graph_ = Graph();
    const ValueId x = convolve("c", input({2, 16, 12, 10}), {24, 16, 1, 1}, window(1, 0));
    return kept(graph_.add("pool", std::move(op), {x}));
  };
  auto largest = std::make_shared<MaxPool>();
  largest->window = window(2, 1);
  largest->window.kernel = {3, 3};
  EXPECT_LT(difference(pooled(largest)), kRounded);
  auto average = std::make_shared<AveragePool>();
  average->window = window(2, 1);
  average->window.kernel = {3, 3};
  EXPECT_LT(difference(pooled(average)), kRounded);
  auto mean = std::make_shared<Reduce>();
  mean->axes = {2, 3};
  EXPECT_LT(difference(pooled(mean)), kRounded);
}

TEST_F(Bf16, WhatHasNoKernelOfItsOwnGoesThroughFloat) {
  const ValueId x = convolve("c", input({2, 16, 6, 6}), {24, 16, 1, 1}, window(1, 0));
  auto mean = std::make_shared<Reduce>();
  mean->axes = {2, 3};
  const ValueId gate = activate(graph_.add("mean", mean, {x}), Unary::Kind::sigmoid);
  const ValueId scaled = graph_.add("scaled", make_binary(Binary::Kind::mul), {x, gate});
  auto joined = std::make_shared<Concat>();
  joined->axis = 1;
  EXPECT_LT(difference(kept(graph_.add("joined", joined, {scaled, activate(x, Unary::Kind::hard_swish)}))),
            2 * kRounded);
}

/// What leaves the graph is float, whatever makes it.
TEST_F(Bf16, GraphsThatEndInAMove) {
  const auto ends_in = [&](OperatorPtr op, size_t times = 1) {
    graph_ = Graph();
    const ValueId x = convolve("c", input({2, 16, 6, 6}), {24, 16, 1, 1}, window(1, 0));
    return difference(graph_.add("move", std::move(op), std::vector<ValueId>(times, x)));
  };
  auto joined = std::make_shared<Concat>();
  joined->axis = 1;
  EXPECT_LT(ends_in(joined, 2), kRounded);
  auto turned = std::make_shared<Transpose>();
  turned->permutation = {0, 2, 3, 1};
  EXPECT_LT(ends_in(turned), kRounded);
  EXPECT_LT(ends_in(std::make_shared<Flatten>()), kRounded);
  graph_ = Graph();
  const ValueId x = convolve("c", input({2, 16, 6, 6}), {24, 16, 1, 1}, window(1, 0));
  auto gather = std::make_shared<Gather>();
  gather->axis = 1;
  EXPECT_LT(difference(graph_.add("gather", gather, {x, graph_.add_constant("i", Tensor::of<int64_t>({2}, {3, 1}))})),
            kRounded);
}

TEST_F(Bf16, AScalarBias) {
  const ValueId x = convolve("c", input({3, 8, 1, 1}), {16, 8, 1, 1}, window(1, 0));
  const ValueId flat = graph_.add("flat", std::make_shared<Flatten>(), {x});
  EXPECT_LT(
      difference(graph_.add("dense", std::make_shared<Gemm>(),
                            {flat, weights("w", {16, 1}, 3), graph_.add_constant("b", Tensor::of<float>({}, {0.5f}))})),
      kRounded);
}

TEST_F(Bf16, NoChannels) {
  const ValueId x = input({2, 0, 4, 4});
  auto op = std::make_shared<Convolution>();
  op->window.kernel = {1, 1};
  graph_.outputs = {graph_.add("c", op, {x, graph_.add_constant("w", Tensor(DType::f32, {8, 0, 1, 1}))})};
  try {
    Plan plan = compile_inference(graph_, {2}, *bf16_cpu_backend());
    plan.forward();
  } catch (const Error&) {  // as in float
  }
}

TEST_F(Bf16, ThreadsChangeNoBit) {
  const ValueId y = convolve("c", input({2, 32, 17, 15}), {48, 32, 3, 3}, window(1, 1));
  graph_.outputs = {kept(activate(y, Unary::Kind::relu))};
  bf16_cpu_backend()->use_threads(1);
  Plan one = compile_inference(graph_, {2}, *bf16_cpu_backend(), 1),
       three = compile_inference(graph_, {2}, *bf16_cpu_backend(), 3);
  const Tensor x = rounded({2, 32, 17, 15}, 1);
  for (Plan* plan : {&one, &three}) {
    copy_from_plain(x.raw(), plan->input(0));
    plan->forward();
  }
  const auto bytes = static_cast<size_t>(one.output(0).shape.elements()) * sizeof(float);
  EXPECT_EQ(std::memcmp(one.output(0).data, three.output(0).data, bytes), 0);
}

TEST_F(Bf16, NotANumberStays) {
  const ValueId x = input({1, 16, 8, 8});
  graph_.outputs = {kept(activate(convolve("c", x, {16, 16, 3, 3}, window(1, 1)), Unary::Kind::relu))};
  Plan plan = compile_inference(graph_, {1}, *bf16_cpu_backend());
  std::vector<float> pixels(16 * 64, 1.0f);
  pixels[0] = std::numeric_limits<float>::quiet_NaN();
  copy_from_plain(pixels.data(), plan.input(0));
  plan.forward();
  EXPECT_TRUE(std::isnan(plan.output(0).as<float>()[0]));
}

TEST_F(Bf16, HeadsOnFeaturesStayFloat) {
  const ValueId x = input({4, 64});
  auto dense = std::make_shared<Gemm>();
  EXPECT_EQ(difference(graph_.add("dense", dense, {x, weights("w", {64, 5}, 3)})), 0);
}

}  // namespace
}  // namespace graft
