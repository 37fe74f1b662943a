// Halves: a network's results and gradients beside those of floats.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/normalise.h"
#include "runtime/ops/pool.h"
#include "runtime/ops/prelu.h"
#include "runtime/ops/rearrange.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/resize.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"
#include "runtime/plan/plan.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

const Backend& backend(DType activations) { return cuda::emulated_backend(cpu_backend(), activations); }

/// A residual network in small: convolution, norm, activation, pooling, a block with a shortcut, pooling, dense layer,
/// softmax.
struct Network {
  Graph graph;
  uint64_t key = 1;

  ValueId parameter(const std::string& name, Shape shape, float low, float high, bool trainable) {
    const ValueId id = graph.add_constant(name, random_tensor(std::move(shape), key++, low, high));
    graph.value(id).trainable = trainable;
    return id;
  }
  ValueId convolution(const std::string& name, ValueId x, int64_t in, int64_t out, int64_t kernel, bool trainable) {
    auto op = std::make_shared<Convolution>();
    op->window.kernel = {kernel, kernel};
    op->window.padding = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
    const float reach = std::sqrt(3.0f / static_cast<float>(in * kernel * kernel));
    return graph.add(name, op, {x, parameter(name + ".w", {out, in, kernel, kernel}, -reach, reach, trainable)});
  }
  ValueId norm(const std::string& name, ValueId x, int64_t channels, bool trainable) {
    return graph.add(name, std::make_shared<BatchNorm>(),
                     {x, parameter(name + ".scale", {channels}, 0.5f, 1.5f, trainable),
                      parameter(name + ".bias", {channels}, -0.2f, 0.2f, trainable),
                      parameter(name + ".mean", {channels}, -0.1f, 0.1f, false),
                      parameter(name + ".var", {channels}, 0.5f, 1.5f, false)});
  }
  explicit Network(bool trainable) {
    const ValueId x = graph.add_input("x", DType::f32, {kOpenDim, 3, 8, 8});
    ValueId y = graph.add("relu", make_unary(Unary::Kind::relu),
                          {norm("bn1", convolution("conv1", x, 3, 16, 3, trainable), 16, trainable)});
    auto pool = std::make_shared<MaxPool>();
    pool->window.kernel = pool->window.stride = {2, 2};
    y = graph.add("pool", pool, {y});
    const ValueId branch = norm("bn2", convolution("conv2", y, 16, 16, 3, trainable), 16, trainable);
    y = graph.add("relu2", make_unary(Unary::Kind::relu),
                  {graph.add("add", make_binary(Binary::Kind::add), {branch, y})});
    auto mean = std::make_shared<Reduce>();
    mean->global_pool = true;
    y = graph.add("flat", std::make_shared<Flatten>(), {graph.add("mean", mean, {y})});
    auto dense = std::make_shared<Gemm>();
    y = graph.add(
        "dense", dense,
        {y, parameter("dense.w", {16, 5}, -0.4f, 0.4f, trainable), parameter("dense.b", {5}, -0.1f, 0.1f, trainable)});
    graph.outputs = {y};
  }
};

constexpr int64_t kBatch = 6;

std::vector<float> values(const View& v) {
  Tensor t(v.dtype, v.shape);
  copy_to_plain(v, t.raw());
  return {t.data<float>().begin(), t.data<float>().end()};
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / std::max(size, 1e-30));
}

struct Step {
  std::vector<std::vector<float>> all;  // scores, then each parameter's gradient
};

Step train_once(const Backend& b) {
  Network network(true);
  TrainingPlan training = compile_training(network.graph, {kBatch, 8, 8}, b);
  const Tensor x = random_tensor({kBatch, 3, 8, 8}, 99), seed = random_tensor({kBatch, 5}, 98);
  Step step;
  for (int run = 0; run < 3; ++run) {  // as it is, recorded, replayed
    copy_from_plain(x.raw(), training.plan.input(0));
    training.plan.forward();
    copy_from_plain(seed.raw(), training.plan.input(training.first_seed));
    training.plan.backward();
    step.all = {values(training.plan.output(0))};
    for (const auto& [parameter, output] : training.gradients) step.all.push_back(values(training.plan.output(output)));
  }
  return step;
}

TEST(Precision, InferenceInHalvesStaysNearFloats) {
  const Network network(false);
  const Tensor x = random_tensor({kBatch, 3, 8, 8}, 99);
  const auto scores = [&](const Backend& b) {
    Plan plan = compile_inference(network.graph, {kBatch, 8, 8}, b);
    EXPECT_EQ(plan.output(0).dtype, DType::f32);
    copy_from_plain(x.raw(), plan.input(0));
    plan.forward();
    return values(plan.output(0));
  };
  const auto expected = scores(cpu_backend());
  EXPECT_LT(distance(scores(backend(DType::f32)), expected), 1e-6);
  const double bf16 = distance(scores(backend(DType::bf16)), expected),
               fp16 = distance(scores(backend(DType::f16)), expected);
  EXPECT_LT(bf16, 2e-2);
  EXPECT_LT(fp16, 2e-3);
  EXPECT_GT(bf16, 1e-5) << "halves did not take part";
  EXPECT_GT(fp16, 1e-6) << "halves did not take part";
}

TEST(Precision, GradientsInHalvesStayNearFloats) {
  const Step expected = train_once(cpu_backend()), floats = train_once(backend(DType::f32)),
             brains = train_once(backend(DType::bf16)), halves = train_once(backend(DType::f16));
  ASSERT_EQ(expected.all.size(), 9u);
  for (size_t i = 0; i < expected.all.size(); ++i) {
    EXPECT_LT(distance(floats.all[i], expected.all[i]), 1e-5) << i;
    EXPECT_LT(distance(brains.all[i], expected.all[i]), 0.12) << i;
    EXPECT_LT(distance(halves.all[i], expected.all[i]), 0.03) << i;
  }
}

TEST(Precision, MovingAndNormalisingOperatorsTakeHalves) {
  const auto make = [](const std::string& what) -> OperatorPtr {
    if (what == "split") {
      auto op = std::make_shared<SplitSlice>();
      op->axis = op->index = 1;
      op->count = 2;
      return op;
    }
    if (what == "depth to space") {
      auto op = std::make_shared<DepthSpace>();
      op->block = 2;
      return op;
    }
    if (what == "resize") {
      auto op = std::make_shared<Resize>();
      op->mode = Resize::Mode::linear;
      op->axes = {2, 3};
      op->sizes = {9, 5};
      return op;
    }
    if (what == "gather") {
      auto op = std::make_shared<Gather>();
      op->axis = 1;
      return op;
    }
    if (what == "prelu") return std::make_shared<PRelu>();
    auto op = std::make_shared<Normalise>();
    op->over = what == "layer norm" ? Normalise::Over::layer : Normalise::Over::group;
    op->groups = 2;
    return op;
  };
  for (const std::string what : {"split", "depth to space", "resize", "gather", "prelu", "layer norm", "group norm"}) {
    SCOPED_TRACE(what);
    const auto result = [&](const Backend& b) {
      Graph graph;
      std::vector<ValueId> inputs{graph.add_input("x", DType::f32, {kBatch, 8, 6, 6})};
      if (what == "gather") inputs.push_back(graph.add_constant("indices", Tensor::of<int64_t>({3}, {5, 0, -1})));
      if (what == "prelu") inputs.push_back(graph.add_constant("slope", random_tensor({8, 1, 1}, 5)));
      if (what == "layer norm" || what == "group norm") {
        const int64_t numbers = what == "layer norm" ? 6 : 8;
        for (const char* name : {"scale", "bias"})
          inputs.push_back(graph.add_constant(name, random_tensor({numbers}, numbers)));
      }
      graph.outputs = {graph.add("y", make(what), inputs)};
      Plan plan = compile_inference(graph, {kBatch, 6, 6}, b);
      const auto& nodes = plan.graph().nodes;
      const auto here = std::find_if(nodes.begin(), nodes.end(), [](const Node& n) { return n.name == "y"; });
      EXPECT_EQ(plan.graph().value(here->outputs[0]).dtype, b.activations());
      copy_from_plain(random_tensor({kBatch, 8, 6, 6}, 99).raw(), plan.input(0));
      plan.forward();
      return values(plan.output(0));
    };
    const auto expected = result(cpu_backend());
    EXPECT_LT(distance(result(backend(DType::f32)), expected), 1e-6);
    EXPECT_LT(distance(result(backend(DType::f16)), expected), 2e-3);
    EXPECT_LT(distance(result(backend(DType::bf16)), expected), 1e-2);
  }
}

TEST(Precision, HalvesTakeHalfTheRoom) {
  Network network(true);
  const size_t floats = compile_training(network.graph, {64, 8, 8}, backend(DType::f32)).plan.arena_bytes();
  const size_t halves = compile_training(network.graph, {64, 8, 8}, backend(DType::bf16)).plan.arena_bytes();
  EXPECT_LT(static_cast<double>(halves), 0.75 * static_cast<double>(floats));
}

}  // namespace
}  // namespace graft
