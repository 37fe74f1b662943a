// Gradients in bfloat16 against those in float32, of the same rounded numbers.
#include <gtest/gtest.h>

#include <cstring>

#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/normalise.h"
#include "runtime/ops/pool.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/unary.h"
#include "tests/runtime/cpu/bf16.h"

namespace graft {
namespace {

class Bf16Training : public NeedsBf16 {
 protected:
  ValueId weights(const std::string& name, Tensor values) {
    const ValueId id = graph_.add_constant(name, std::move(values));
    graph_.value(id).trainable = true;
    return id;
  }
  ValueId convolve(const std::string& name, ValueId x, int64_t out, int64_t kernel, int64_t stride = 1,
                   bool bias = true) {
    auto op = std::make_shared<Convolution>();
    const int64_t p = kernel / 2, in = graph_.value(x).shape[1];
    op->window.kernel = {kernel, kernel};
    op->window.stride = {stride, stride};
    op->window.padding = {p, p, p, p};
    std::vector<ValueId> inputs{
        x, weights(name + ":w", rounded({out, in, kernel, kernel}, 3 + static_cast<uint64_t>(kernel)))};
    if (bias) inputs.push_back(weights(name + ":b", rounded({out}, 8)));
    return graph_.add(name, op, inputs);
  }
  ValueId relu(ValueId x) {
    auto op = std::make_shared<Unary>();
    op->kind = Unary::Kind::relu;
    return graph_.add("relu" + std::to_string(graph_.value_count()), op, {x});
  }
  ValueId normalise(ValueId x) {
    const int64_t channels = graph_.value(x).shape[1];
    const std::string name = "norm" + std::to_string(graph_.value_count());
    return graph_.add(name, std::make_shared<BatchNorm>(),
                      {x, weights(name + ":scale", random_tensor({channels}, 4, 0.5f, 1.5f)),
                       weights(name + ":bias", random_tensor({channels}, 5)),
                       graph_.add_constant(name + ":mean", Tensor::zeros(DType::f32, {channels})),
                       graph_.add_constant(name + ":variance", random_tensor({channels}, 6, 0.5f, 1.5f))});
  }

  ValueId dense(const std::string& name, ValueId rows, int64_t out, Transpose2d transposed) {
    const int64_t in = graph_.value(rows).shape[1];
    auto op = std::make_shared<Gemm>();
    op->transpose_b = transposed;
    const Shape shape = transposed == Transpose2d::yes ? Shape{out, in} : Shape{in, out};
    return graph_.add(name, op,
                      {rows, weights(name + ":w", rounded(shape, 9)), weights(name + ":b", rounded({out}, 8))});
  }
  /// As transformers have them, behind a convolution, without which nothing is computed in halves.
  ValueId layers_of_rows(int64_t pictures) {
    const ValueId x = graph_.add_input("x", DType::f32, {pictures, 3, 6, 6});
    const ValueId rows = graph_.add("rows", std::make_shared<Flatten>(), {convolve("patches", x, 5, 1)});
    const ValueId wide = dense("wide", rows, 99, Transpose2d::no);
    const ValueId norm = graph_.add("norm", std::make_shared<Normalise>(),
                                    {wide, weights("norm:scale", random_tensor({99}, 4, 0.5f, 1.5f)),
                                     weights("norm:bias", random_tensor({99}, 5))});
    return dense("narrow", graph_.add("gelu", make_unary(Unary::Kind::gelu), {norm}), 37, Transpose2d::yes);
  }

  using Gradients = std::vector<std::vector<float>>;
  Gradients gradients(const Backend& backend, int threads = 0) const {
    TrainingPlan training = compile_training(graph_, {graph_.value(graph_.inputs[0]).shape[0]}, backend, threads);
    const Tensor x = rounded(graph_.value(graph_.inputs[0]).shape, 1),
                 seed = rounded(graph_.value(graph_.outputs[0]).shape, 2);
    copy_from_plain(x.raw(), training.plan.input(0));
    copy_from_plain(seed.raw(), training.plan.input(training.first_seed));
    training.plan.forward();
    training.plan.backward();
    Gradients all;
    for (const auto& [parameter, output] : training.gradients) {
      const View view = training.plan.output(output);
      EXPECT_EQ(view.dtype, DType::f32);
      all.emplace_back(static_cast<size_t>(view.shape.elements()));
      copy_to_plain(view, all.back().data());
    }
    return all;
  }
  /// The largest root mean square difference of a parameter's gradient, as a part of that gradient's.
  double difference(ValueId y) {
    graph_.outputs = {y};
    const Gradients floats = gradients(cpu_backend()), halves = gradients(*bf16_cpu_backend());
    EXPECT_EQ(floats.size(), halves.size());
    double worst = 0;
    for (size_t p = 0; p < floats.size(); ++p) {
      double apart = 0, size = 0;
      for (size_t i = 0; i < floats[p].size(); ++i) {
        EXPECT_TRUE(std::isfinite(halves[p][i]));
        apart += std::pow(static_cast<double>(floats[p][i]) - static_cast<double>(halves[p][i]), 2);
        size += std::pow(static_cast<double>(floats[p][i]), 2);
      }
      worst = std::max(worst, std::sqrt(apart / size));
    }
    return worst;
  }

  Graph graph_;
};

TEST_F(Bf16Training, WeightsOfOneConvolution) {
  struct Case {
    Shape x;
    int64_t out, kernel, stride;
  };
  for (const Case& c : {Case{{2, 32, 9, 7}, 48, 1, 1},
                        {{2, 64, 12, 12}, 20, 3, 1},
                        {{3, 3, 21, 17}, 16, 7, 2},
                        {{2, 16, 11, 13}, 15, 3, 2},
                        {{1, 32, 30, 30}, 32, 3, 1},
                        {{2, 7, 6, 6}, 9, 3, 1}}) {
    graph_ = Graph();
    const ValueId x = graph_.add_input("x", DType::f32, c.x);
    EXPECT_LT(difference(convolve("c", x, c.out, c.kernel, c.stride)), 1e-5) << c.x.str() << " " << c.kernel;
  }
}

TEST_F(Bf16Training, ThroughConvolutions) {
  for (const int64_t kernel : {1, 3, 5})
    for (const int64_t stride : {1, 2}) {
      graph_ = Graph();
      const ValueId x = graph_.add_input("x", DType::f32, {2, 16, 17, 14});
      const ValueId middle = convolve("first", x, 32, 3);
      EXPECT_LT(difference(convolve("second", middle, 48, kernel, stride)), 0.01) << kernel << " " << stride;
    }
}

TEST_F(Bf16Training, OddChannels) {
  const ValueId x = graph_.add_input("x", DType::f32, {2, 5, 11, 10});
  EXPECT_LT(difference(convolve("third", relu(convolve("second", convolve("first", x, 7, 3), 9, 3, 2)), 11, 1)), 0.01);
}

/// Two residual blocks with batch norms, as ResNets have them.
TEST_F(Bf16Training, ResidualNetwork) {
  const ValueId x = graph_.add_input("x", DType::f32, {4, 3, 24, 24});
  auto pool = std::make_shared<MaxPool>();
  pool->window.kernel = {3, 3};
  pool->window.stride = {2, 2};
  pool->window.padding = {1, 1, 1, 1};
  ValueId y = graph_.add("pool", pool, {relu(normalise(convolve("stem", x, 32, 3, 1, false)))});
  for (const int64_t stride : {1, 2}) {
    const std::string name = "block" + std::to_string(stride);
    const ValueId branch = normalise(
        convolve(name + "b", relu(normalise(convolve(name + "a", y, 32, 3, stride, false))), 32, 1, 1, false));
    const ValueId shortcut = stride == 1 ? y : normalise(convolve(name + "s", y, 32, 1, stride, false));
    y = relu(graph_.add(name + "sum", make_binary(Binary::Kind::add), {branch, shortcut}));
  }
  // Rounding every value alone (convolutions in float32 between) makes 0.13: numbers near zero change sides in ReLU.
  EXPECT_LT(difference(y), 0.3);
}

TEST_F(Bf16Training, BatchNorms) {
  const ValueId x = graph_.add_input("x", DType::f32, {4, 16, 20, 20});
  EXPECT_LT(difference(normalise(convolve("first", x, 40, 1, 1, false))), 0.02);
  graph_ = Graph();
  const ValueId y = normalise(convolve("first", graph_.add_input("x", DType::f32, {4, 16, 20, 20}), 40, 3, 1, false));
  EXPECT_LT(difference(convolve("second", y, 24, 1)), 0.03);
  graph_ = Graph();
  const ValueId z = convolve("first", graph_.add_input("x", DType::f32, {4, 16, 20, 20}), 32, 1, 1, false);
  EXPECT_LT(difference(graph_.add("sum", make_binary(Binary::Kind::add), {normalise(z), convolve("side", z, 32, 1)})),
            0.03);
}

TEST_F(Bf16Training, DenseLayersAndLayerNorms) {
  for (const int64_t pictures : {1, 33, 600}) {  // more than are summed at once, and an odd number
    graph_ = Graph();
    EXPECT_LT(difference(layers_of_rows(pictures)), 0.02) << pictures;
  }
}

TEST_F(Bf16Training, ThreadsChangeNoBitOfDenseLayers) {
  graph_.outputs = {layers_of_rows(70)};
  EXPECT_EQ(gradients(*bf16_cpu_backend(), 1), gradients(*bf16_cpu_backend(), 3));
}

TEST_F(Bf16Training, ThreadsChangeNoBit) {
  const ValueId x = graph_.add_input("x", DType::f32, {2, 16, 15, 13});
  graph_.outputs = {convolve("second", relu(normalise(convolve("first", x, 32, 3))), 24, 3, 2)};
  EXPECT_EQ(gradients(*bf16_cpu_backend(), 1), gradients(*bf16_cpu_backend(), 3));
}

}  // namespace
}  // namespace graft
