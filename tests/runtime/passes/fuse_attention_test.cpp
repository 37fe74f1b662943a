#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/thread_pool.h"
#include "runtime/ops/attention.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/fused_attention.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/rearrange.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/softmax.h"
#include "runtime/passes/passes.h"
#include "tests/runtime/graph_results.h"

namespace graft {
namespace {

using B = Binary::Kind;

struct Extents {
  int64_t batch, heads, tokens, width;
};

ValueId reshaped(Graph& graph, const std::string& name, ValueId x, const Shape& shape) {
  auto op = std::make_shared<ReshapeTo>();
  op->target = shape;
  return graph.add(name, op, {x});
}

ValueId trained(Graph& graph, const std::string& name, Tensor tensor) {
  const ValueId id = graph.add_constant(name, std::move(tensor));
  graph.value(id).trainable = true;
  return id;
}

ValueId times(Graph& graph, const std::string& name, ValueId x, float factor) {
  return graph.add(name, make_binary(B::mul), {x, graph.add_constant(name + "_by", Tensor::of<float>({}, {factor}))});
}

/// Tokens, N×S×(heads·D), with a place encoding that trains: what attention reads follows from both.
ValueId encoded(Graph& graph, const Extents& e, int64_t width) {
  const ValueId x = graph.add_input("x", DType::f32, {e.batch, e.tokens, width});
  return graph.add("encoded", make_binary(B::add), {x, trained(graph, "place", random_tensor({e.tokens, width}, 1))});
}

/// Queries, keys and values of one dense layer side by side, as timm's networks are exported.
std::vector<ValueId> projections(Graph& graph, const Extents& e) {
  const ValueId all = encoded(graph, e, 3 * e.heads * e.width);
  const ValueId apart = reshaped(graph, "apart", all, {e.batch, e.tokens, 3, e.heads, e.width});
  const ValueId first = graph.add("first", transposed({2, 0, 3, 1, 4}), {apart});
  std::vector<ValueId> parts;
  for (int64_t i = 0; i < 3; ++i) {
    auto split = std::make_shared<SplitSlice>();
    split->index = i;
    split->count = 3;
    auto squeeze = std::make_shared<Squeeze>();
    squeeze->axes = {0};
    const std::string name = "part" + std::to_string(i);
    parts.push_back(graph.add(name, squeeze, {graph.add(name + "_of_one", split, {first})}));
  }
  return parts;
}

/// softmax(q·kᵀ + what `more` adds)·v, heads side by side again.
template <typename More>
Graph attending(Graph graph, const Extents& e, const std::vector<ValueId>& parts, const More& more) {
  const ValueId across = graph.add("across", transposed({0, 1, 3, 2}), {parts[1]});
  const ValueId scores =
      graph.add("scores", std::make_shared<MatMul>(), {times(graph, "scaled", parts[0], 0.3f), across});
  const ValueId weights = graph.add("weights", std::make_shared<Softmax>(), {more(graph, scores)});
  const ValueId heads = graph.add("heads", std::make_shared<MatMul>(), {weights, parts[2]});
  const ValueId tokens = graph.add("tokens", transposed({0, 2, 1, 3}), {heads});
  graph.outputs = {reshaped(graph, "y", tokens, {e.batch, e.tokens, e.heads * graph.value(heads).shape.back()})};
  return graph;
}

Graph plain(const Extents& e) {
  Graph graph;
  const auto parts = projections(graph, e);
  return attending(std::move(graph), e, parts, [](Graph&, ValueId scores) { return scores; });
}

/// Attention in windows: a bias for each head, and a mask for each window of a picture, whose batch is divided for it.
Graph windows(const Extents& e, int64_t windows) {
  Graph graph;
  const auto parts = projections(graph, e);
  return attending(std::move(graph), e, parts, [&](Graph& g, ValueId scores) {
    const int64_t n = e.tokens;
    const ValueId bias = trained(g, "bias", random_tensor({e.heads, n, n}, 5));
    const ValueId biased = g.add("biased", make_binary(B::add), {scores, bias});
    const ValueId divided = reshaped(g, "divided", biased, {e.batch / windows, windows, e.heads, n, n});
    const ValueId mask = g.add_constant("mask", random_tensor({1, windows, 1, n, n}, 6, -4, 4));
    return reshaped(g, "masked", g.add("sum", make_binary(B::add), {divided, mask}), {e.batch, e.heads, n, n});
  });
}

/// Attention of tokens to themselves, without projections: queries, keys and values are the same numbers.
Graph without_projections(const Extents& e) {
  Graph graph;
  const ValueId all = encoded(graph, e, e.heads * e.width);
  const ValueId heads = graph.add("of_heads", transposed({0, 2, 1, 3}),
                                  {reshaped(graph, "apart", all, {e.batch, e.tokens, e.heads, e.width})});
  return attending(std::move(graph), e, {heads, heads, heads}, [](Graph&, ValueId scores) { return scores; });
}

Tensor tokens(const Graph& graph) { return random_tensor(graph.value(graph.inputs[0]).shape, 9); }

void expect_alike(const std::map<std::string, std::vector<float>>& actual,
                  const std::map<std::string, std::vector<float>>& expected, float tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (const auto& [name, values] : expected) {
    ASSERT_EQ(actual.at(name).size(), values.size()) << name;
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_NEAR(actual.at(name)[i], values[i], tolerance) << name << ' ' << i;
  }
}

/// Fused, the graph is one attention and what brings it into shape, and computes the same, forward and backward.
void expect_fused(const Graph& graph) {
  Graph after = graph;
  fuse_attention(after);
  const std::vector<std::string> found = types(after);
  EXPECT_EQ(std::count(found.begin(), found.end(), "FusedAttention"), 1);
  for (const char* gone : {"MatMul", "Softmax", "Transpose", "Split", "Mul"})
    EXPECT_EQ(std::count(found.begin(), found.end(), gone), 0) << gone;
  if (!test_backend().fuses_attention()) return;
  const Tensor x = tokens(graph);
  expect_unchanged(graph, after, x);
  expect_alike(gradients_by_name(after, x), gradients_by_name(graph, x), 2e-4f);
}

TEST(FuseAttention, ReadsProjectionsWhereTheyLie) {
  expect_fused(plain({2, 3, 5, 8}));
  expect_fused(plain({1, 2, 197, 32}));  // several blocks of queries
  expect_fused(plain({2, 2, 49, 16}));
}

TEST(FuseAttention, TakesWidthsThatFillNoVector) {
  expect_fused(plain({2, 3, 5, 7}));
  expect_fused(plain({1, 1, 1, 1}));
  expect_fused(plain({1, 2, 130, 20}));
}

TEST(FuseAttention, AddsBiasesAndMasksOfWindows) {
  expect_fused(windows({4, 2, 9, 8}, 2));
  expect_fused(windows({6, 3, 49, 32}, 3));
}

/// Where every key is masked by a number that is large for float32, all are attended to alike, backward too.
TEST(FuseAttention, GradientsOfRowsThatAreAllMaskedAreRight) {
  const Extents e{1, 2, 6, 8};
  Graph graph;
  const auto parts = projections(graph, e);
  expect_fused(attending(std::move(graph), e, parts, [&](Graph& g, ValueId scores) {
    Tensor mask = Tensor::zeros(DType::f32, {e.tokens, e.tokens});
    for (size_t i = 0; i < static_cast<size_t>(2 * e.tokens); ++i) mask.data<float>()[i] = -3.4e38f;
    return g.add("masked", make_binary(B::add), {scores, g.add_constant("mask", std::move(mask))});
  }));
}

TEST(FuseAttention, KeepsGradientsOfSharedOperandsApart) { expect_fused(without_projections({2, 2, 6, 8})); }

/// Expected values are those of onnx.reference (ONNX 1.22), as in attention_test.cpp.
TEST(FuseAttention, IsWhatOnnxSaysOfAttention) {
  const auto stepping = [](size_t first, const Shape& shape) {
    Tensor t(DType::f32, shape);
    for (size_t i = 0; i < t.data<float>().size(); ++i)
      t.data<float>()[i] = static_cast<float>((5 * i + first) % 11) * 0.25f - 1;
    return t;
  };
  Graph graph;
  auto op = std::make_shared<Attention>();
  op->heads = 2;
  op->key_heads = 1;
  const ValueId q = graph.add_input("x", DType::f32, {1, 2, 4});
  graph.outputs = {graph.add(
      "y", op, {q, graph.add_constant("k", stepping(3, {1, 3, 2})), graph.add_constant("v", stepping(7, {1, 3, 2}))})};
  graph = without_composites(graph);
  fuse_attention(graph);
  const std::vector<std::string> found = types(graph);
  EXPECT_EQ(std::count(found.begin(), found.end(), "FusedAttention"), 1);
  if (!test_backend().fuses_attention()) return;
  expect_floats(run(graph, stepping(0, {1, 2, 4})), {1, 2, 4},
                {0.4779674f, 0.01848719f, 0.5436841f, -0.2693552f, 0.5293103f, -0.2104927f, 0.5147123f, -0.1483472f});
}

TEST(FuseAttention, LeavesScoresThatOthersRead) {
  Graph graph = plain({2, 2, 5, 8});
  graph.outputs.push_back(graph.find("weights"));
  fuse_attention(graph);
  const std::vector<std::string> found = types(graph);
  EXPECT_EQ(std::count(found.begin(), found.end(), "Softmax"), 1);
}

/// What is scaled after a bias was added scales the bias, too.
TEST(FuseAttention, LeavesBiasesThatAreScaled) {
  Graph graph;
  const Extents e{2, 2, 5, 8};
  const auto parts = projections(graph, e);
  graph = attending(std::move(graph), e, parts, [&](Graph& g, ValueId scores) {
    const ValueId bias = g.add_constant("bias", random_tensor({e.heads, e.tokens, e.tokens}, 5));
    return times(g, "scaled_again", g.add("biased", make_binary(B::add), {scores, bias}), 0.5f);
  });
  const Graph before = graph;
  fuse_attention(graph);
  const std::vector<std::string> found = types(graph);
  EXPECT_EQ(std::count(found.begin(), found.end(), "Softmax"), 1);
  expect_unchanged(before, graph, tokens(before));
}

TEST(FuseAttention, GivesTheSameBitsWithAnyNumberOfThreads) {
  if (!test_backend().fuses_attention()) GTEST_SKIP() << "no kernel for whole attentions";
  const Graph graph = windows({4, 2, 49, 16}, 2);
  Graph fused = graph;
  fuse_attention(fused);
  const Tensor x = tokens(graph);
  std::vector<std::map<std::string, std::vector<float>>> results;
  for (const int threads : {1, 2, 3}) {
    test_backend().use_threads(threads);
    results.push_back(gradients_by_name(fused, x));
    const Tensor y = run(fused, x);
    results.back()["y"].assign(y.data<float>().begin(), y.data<float>().end());
  }
  test_backend().use_threads(0);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(FuseAttention, NotANumberStaysOne) {
  Graph graph = plain({1, 1, 3, 4});
  fuse_attention(graph);
  if (!test_backend().fuses_attention()) GTEST_SKIP() << "no kernel for whole attentions";
  Tensor x = tokens(graph);
  x.data<float>()[0] = std::nanf("");
  const Tensor y = run(graph, x);
  EXPECT_TRUE(std::isnan(y.data<float>()[0]));
}

}  // namespace
}  // namespace graft
