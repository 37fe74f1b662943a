// Quantised graphs: what is computed on bytes equals what is computed on the floats that they stand for.
#include <gtest/gtest.h>

#include "runtime/cpu/cpu_backend.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/pool.h"
#include "runtime/ops/quantise.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/insert_quantisation.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

/// The processor without products of bytes.
class FloatsOnly final : public Backend {
 public:
  std::string_view name() const override { return "floats"; }
  std::unique_ptr<Kernel> make_kernel(const KernelRequest& r) const override { return cpu_backend().make_kernel(r); }
  void use_threads(int threads) const override { cpu_backend().use_threads(threads); }
};

const Backend& floats_only() {
  static const FloatsOnly backend;  // plans refer to it
  return backend;
}

struct Ran {
  std::vector<float> values;
  std::vector<std::string> types;  // of the nodes
};

Ran run(const Graph& graph, const Backend& backend) {
  Plan plan = compile_inference(graph, {graph.value(graph.inputs[0]).shape[0]}, backend);
  const Tensor x = random_tensor(graph.value(graph.inputs[0]).shape, 5);
  copy_from_plain(x.raw(), plan.input(0));
  plan.forward();
  plan.forward();
  Ran ran;
  ran.values.resize(static_cast<size_t>(plan.output(0).shape.elements()));
  copy_to_plain(plan.output(0), ran.values.data());
  for (const Node& node : plan.graph().nodes) ran.types.emplace_back(node.op->type());
  return ran;
}

size_t count(const Ran& ran, const std::string& type) {
  return static_cast<size_t>(std::ranges::count(ran.types, type));
}

/// Of a hundred results at most one lies a step (of `step`) off, and none more than two: sums are rounded at the last
/// bit before they are rounded to steps.
void expect_same_steps(const Ran& bytes, const Ran& floats, float step) {
  ASSERT_EQ(bytes.values.size(), floats.values.size());
  size_t off = 0;
  for (size_t i = 0; i < bytes.values.size(); ++i) {
    const float difference = std::fabs(bytes.values[i] - floats.values[i]);
    ASSERT_LE(difference, 2.1f * step) << i;
    off += difference > 0.5f * step ? 1 : 0;
  }
  EXPECT_LE(off, bytes.values.size() / 100 + 1);
}

class OnBytes : public testing::Test {
 protected:
  void SetUp() override {
    if (!cpu_backend().multiplies_bytes()) GTEST_SKIP() << "this processor does not multiply 8-bit integers";
  }

  /// x through QuantizeLinear and DequantizeLinear.
  ValueId steps(ValueId x, float scale, int zero, DType type = DType::u8) {
    const std::string name = graph_.value(x).name + "_" + std::to_string(graph_.value_count());
    const ValueId s = graph_.add_constant(name + "s", Tensor::of<float>({}, {scale}));
    const ValueId z = type == DType::u8
                          ? graph_.add_constant(name + "z", Tensor::of<uint8_t>({}, {static_cast<uint8_t>(zero)}))
                          : graph_.add_constant(name + "z", Tensor::of<int8_t>({}, {static_cast<int8_t>(zero)}));
    const ValueId bytes = graph_.add(name + "q", std::make_shared<Quantise>(), {x, s, z});
    return graph_.add(name + "d", std::make_shared<Dequantise>(), {bytes, s, z});
  }
  /// Whole multiples of a step that differs from row to row, as floats: what is left of dequantised weights.
  Tensor whole(const Shape& shape, uint64_t seed) {
    Tensor w(DType::f32, shape);
    Random random(seed);
    const int64_t each = w.elements() / shape[0];
    for (int64_t i = 0; i < w.elements(); ++i)
      w.data<float>()[static_cast<size_t>(i)] = static_cast<float>(static_cast<int>(random.below(255)) - 127) *
                                                (0.0013f + 0.0007f * static_cast<float>(i / each));
    return w;
  }
  ValueId convolve(ValueId x, const Shape& shape, int64_t stride = 1) {
    auto op = std::make_shared<Convolution>();
    op->window.kernel = {shape[2], shape[3]};
    op->window.stride = {stride, stride};
    const int64_t p = shape[2] / 2;
    op->window.padding = {p, p, p, p};
    const std::string name = "conv" + std::to_string(graph_.value_count());
    return graph_.add(name, op,
                      {x, graph_.add_constant(name + "w", whole(shape, 9)),
                       graph_.add_constant(name + "b", random_tensor({shape[0]}, 4))});
  }
  ValueId relu(ValueId x) {
    auto op = std::make_shared<Unary>();
    op->kind = Unary::Kind::relu;
    return graph_.add("relu" + std::to_string(graph_.value_count()), op, {x});
  }
  Ran expect_same(ValueId y, float step) {
    graph_.outputs = {y};
    const Ran bytes = run(graph_, cpu_backend());
    expect_same_steps(bytes, run(graph_, floats_only()), step);
    return bytes;
  }

  Graph graph_;
};

TEST_F(OnBytes, Convolutions) {
  for (const auto type : {DType::u8, DType::i8})
    for (const Shape& w : {Shape{32, 16, 1, 1}, Shape{40, 16, 3, 3}, Shape{7, 16, 3, 3}})
      for (const int64_t stride : {1, 2}) {
        graph_ = Graph();
        const ValueId x = graph_.add_input("x", DType::f32, {2, 16, 11, 9});
        const int zero = type == DType::u8 ? 128 : -3;
        const Ran ran =
            expect_same(steps(relu(convolve(steps(x, 1 / 127.0f, zero, type), w, stride)), 0.02f, 0, DType::u8), 0.02f);
        EXPECT_EQ(count(ran, "QLinearConv"), 1u);
        EXPECT_EQ(count(ran, "Conv"), 0u);
      }
}

TEST_F(OnBytes, ThreeColorsAndFloatResults) {
  const ValueId x = graph_.add_input("x", DType::f32, {2, 3, 23, 20});
  EXPECT_EQ(count(expect_same(convolve(steps(x, 1 / 127.0f, 128), {16, 3, 7, 7}, 2), 1e-4f), "QLinearConv"), 1u);
}

TEST_F(OnBytes, SumsOfTwoBranches) {
  for (const auto type : {DType::u8, DType::i8}) {
    graph_ = Graph();
    const int zero = type == DType::u8 ? 120 : -8;
    const ValueId x = steps(graph_.add_input("x", DType::f32, {2, 16, 10, 10}), 1 / 127.0f, zero, type);
    const ValueId a = steps(convolve(x, {24, 16, 3, 3}), 0.03f, zero, type),
                  b = steps(convolve(x, {24, 16, 1, 1}), 0.02f, zero, type);
    const ValueId sum = relu(graph_.add("sum", make_binary(Binary::Kind::add), {a, b}));
    const Ran ran = expect_same(steps(sum, 0.025f, type == DType::u8 ? 0 : -128, type), 0.025f);
    EXPECT_EQ(count(ran, "QLinearConv"), 2u);
    EXPECT_EQ(count(ran, "Add"), 0u);
  }
}

TEST_F(OnBytes, MaximaAndDenseLayers) {
  const ValueId x = graph_.add_input("x", DType::f32, {3, 16, 8, 8});
  const ValueId y = steps(relu(convolve(steps(x, 1 / 127.0f, 127), {20, 16, 3, 3})), 0.02f, 0);
  auto pool = std::make_shared<MaxPool>();
  pool->window.kernel = {2, 2};
  pool->window.stride = {2, 2};
  const ValueId flat =
      graph_.add("flat", std::make_shared<Flatten>(), {steps(graph_.add("pool", pool, {y}), 0.02f, 0)});
  auto dense = std::make_shared<Gemm>();
  dense->transpose_b = Transpose2d::yes;
  const ValueId scores = graph_.add(
      "dense", dense,
      {flat, graph_.add_constant("w", whole({11, 320}, 2)), graph_.add_constant("b", random_tensor({11}, 3))});
  const Ran ran = expect_same(scores, 1e-2f);
  EXPECT_EQ(count(ran, "QLinearConv"), 2u);
  EXPECT_EQ(count(ran, "QuantizeLinear"), 1u) << "bytes go through the pool as they are";
}

TEST_F(OnBytes, WeightsThatAreNotWholeStayFloat) {
  const ValueId x = steps(graph_.add_input("x", DType::f32, {2, 16, 6, 6}), 1 / 127.0f, 128);
  auto op = std::make_shared<Convolution>();
  op->window.kernel = {1, 1};
  graph_.outputs = {graph_.add("conv", op, {x, graph_.add_constant("w", random_tensor({8, 16, 1, 1}, 1))})};
  EXPECT_EQ(count(run(graph_, cpu_backend()), "Conv"), 1u);
}

TEST_F(OnBytes, DamagedWeightsStayFloat) {
  for (const float damage : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    graph_ = Graph();
    const ValueId x = steps(graph_.add_input("x", DType::f32, {1, 16, 4, 4}), 1 / 127.0f, 128);
    Tensor w = whole({8, 16, 1, 1}, 9);
    w.data<float>()[5] = damage;
    auto op = std::make_shared<Convolution>();
    op->window.kernel = {1, 1};
    graph_.outputs = {graph_.add("conv", op, {x, graph_.add_constant("w", std::move(w))})};
    EXPECT_EQ(count(run(graph_, cpu_backend()), "Conv"), 1u);
  }
}

TEST_F(OnBytes, SignedBytesThatLeaveTheGraphStaySigned) {
  const ValueId x = steps(graph_.add_input("x", DType::f32, {2, 16, 6, 6}), 1 / 127.0f, 128);
  const ValueId y = convolve(x, {24, 16, 1, 1});
  const ValueId s = graph_.add_constant("s", Tensor::of<float>({}, {0.01f})),
                z = graph_.add_constant("z", Tensor::of<int8_t>({}, {5}));
  const ValueId bytes = graph_.add("q", std::make_shared<Quantise>(), {y, s, z});
  graph_.outputs = {graph_.add("d", std::make_shared<Dequantise>(), {bytes, s, z}), bytes};
  Plan plan = compile_inference(graph_, {2}, cpu_backend());
  EXPECT_EQ(plan.output(1).dtype, DType::i8);
  expect_same_steps(run(graph_, cpu_backend()), run(graph_, floats_only()), 0.01f);
}

/// Sums that 32 bits do not hold are not made.
TEST_F(OnBytes, VeryLongSumsStayFloat) {
  const ValueId x = steps(graph_.add_input("x", DType::f32, {1, 70000}), 1 / 127.0f, 128);
  Tensor w(DType::f32, {70000, 2});
  for (float& v : w.data<float>()) v = 127 * 0.01f;
  w.data<float>()[1] = 0.01f;
  w.data<float>()[2] = 0.01f;
  graph_.outputs = {graph_.add("dense", std::make_shared<Gemm>(), {x, graph_.add_constant("w", std::move(w))})};
  EXPECT_EQ(count(run(graph_, cpu_backend()), "Gemm"), 1u);
}

/// A small residual network of floats.
class Quantised : public OnBytes {
 protected:
  void SetUp() override {
    OnBytes::SetUp();
    x_ = graph_.add_input("x", DType::f32, {2, 3, 16, 16});
    const ValueId stem = relu(floats(x_, {16, 3, 3, 3}));
    const ValueId branch = floats(relu(floats(stem, {16, 16, 3, 3})), {16, 16, 1, 1});
    const ValueId sum = relu(graph_.add("sum", make_binary(Binary::Kind::add), {branch, stem}));
    auto mean = std::make_shared<Reduce>();
    mean->axes = {2, 3};
    mean->keep_dims = false;
    auto dense = std::make_shared<Gemm>();
    graph_.outputs = {graph_.add(
        "dense", dense, {graph_.add("mean", mean, {sum}), graph_.add_constant("w", random_tensor({16, 5}, 3))})};
  }
  ValueId floats(ValueId x, const Shape& shape) {
    auto op = std::make_shared<Convolution>();
    op->window.kernel = {shape[2], shape[3]};
    const int64_t p = shape[2] / 2;
    op->window.padding = {p, p, p, p};
    const std::string name = "layer" + std::to_string(graph_.value_count());
    return graph_.add(name, op, {x, graph_.add_constant(name + "w", random_tensor(shape, 11, -0.3f, 0.3f))});
  }
  ValueId x_ = kNoValue;
};

TEST_F(Quantised, EveryLayerRunsOnBytes) {
  const std::vector<size_t> layers = quantisable_layers(graph_);
  ASSERT_EQ(layers.size(), 4u);
  const std::vector<QuantisedValue> values = values_to_quantise(graph_, layers);
  const std::vector<float> before = run(graph_, floats_only()).values;
  std::map<ValueId, Steps> steps;
  for (const QuantisedValue& v : values) {
    Graph watched = graph_;
    watched.outputs = {v.value};
    const std::vector<float> seen = run(watched, floats_only()).values;
    steps[v.value] = steps_between(*std::ranges::min_element(seen), *std::ranges::max_element(seen));
  }
  insert_quantisation(graph_, layers, steps, {});
  const Ran ran = run(graph_, cpu_backend());
  EXPECT_EQ(count(ran, "QLinearConv"), 4u);
  EXPECT_EQ(count(ran, "Add"), 0u);
  double difference = 0, size = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    difference += std::pow(static_cast<double>(before[i] - ran.values[i]), 2);
    size += std::pow(static_cast<double>(before[i]), 2);
  }
  EXPECT_LT(std::sqrt(difference / size), 0.03);
}

/// A channel that hardly weighs anything keeps its bias.
TEST(InsertQuantisation, DeadChannelsKeepTheirBias) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {1, 2});
  graph.outputs = {
      graph.add("dense", std::make_shared<Gemm>(),
                {x, graph.add_constant("w", Tensor::of<float>({2, 3}, {1e-20f, 0, 0.5f, 1e-20f, 0, 0.25f})),
                 graph.add_constant("b", Tensor::of<float>({3}, {0.5f, -0.37f, 0.125f}))})};
  insert_quantisation(graph, {0}, {{x, Steps{0.02f, 0}}}, {});
  Plan plan = compile_inference(graph, {1}, floats_only());
  const std::vector<float> zeros(2, 0.0f);
  copy_from_plain(zeros.data(), plan.input(0));
  plan.forward();
  const auto* y = plan.output(0).as<float>();
  EXPECT_NEAR(y[0], 0.5f, 1e-5f);
  EXPECT_NEAR(y[1], -0.37f, 1e-5f);
  EXPECT_NEAR(y[2], 0.125f, 1e-3f);
}

TEST(Steps, HoldZeroExactly) {
  for (const auto& [low, high] : {std::pair{-0.3f, 1.7f}, {0.2f, 5.0f}, {-2.0f, -1.0f}}) {
    const Steps s = steps_between(low, high);
    EXPECT_GE(s.zero, 0);
    EXPECT_LE(s.zero, 255);
    EXPECT_NEAR(static_cast<float>(255 - s.zero) * s.scale, std::max(high, 0.0f), s.scale);
    EXPECT_NEAR(static_cast<float>(-s.zero) * s.scale, std::min(low, 0.0f), s.scale);
  }
}

/// The bias takes off what rounding adds: with a mean input the result is what it was.
TEST(BiasCorrection, TakesOffTheMeanError) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {1, 6});
  graph.outputs = {
      graph.add("dense", std::make_shared<Gemm>(), {x, graph.add_constant("w", random_tensor({6, 4}, 3))})};
  const std::vector<float> mean{0.5f, 1.5f, 0.25f, 2.0f, 1.0f, 0.75f};
  const auto result = [&](const Graph& g) {
    Plan plan = compile_inference(g, {1}, floats_only());
    copy_from_plain(mean.data(), plan.input(0));
    plan.forward();
    return std::vector<float>(plan.output(0).as<float>(), plan.output(0).as<float>() + 4);
  };
  const std::vector<float> before = result(graph);
  const auto error = [&](const std::map<ValueId, std::vector<float>>& means) {
    Graph g = graph;
    insert_quantisation(g, {0}, {{x, Steps{0.25f, 0}}}, means);
    const std::vector<float> after = result(g);
    float largest = 0;
    for (size_t i = 0; i < 4; ++i) largest = std::max(largest, std::fabs(after[i] - before[i]));
    return largest;
  };
  EXPECT_LT(error({{x, mean}}), 0.3f * error({}));
}

}  // namespace
}  // namespace graft
