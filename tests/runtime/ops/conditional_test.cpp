#include "runtime/ops/conditional.h"

#include <gtest/gtest.h>

#include "runtime/ops/expansion.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/resolve_control_flow.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

/// Has a type, and no graph that it stands for.
struct BrokenComposite final : Operator {
  std::string_view type() const override { return "BrokenComposite"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, inputs[0].shape}};
  }
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override {
    expansion.emit(make_unary(Unary::Kind::relu), {expansion.input(0)});
    throw Error("stands for nothing");
  }
};

/// Of pictures of open batch: y = x where `holds`, else x viewed as `other`.
Graph choice(bool holds, std::initializer_list<int64_t> other) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {kOpenDim, 3});
  const ValueId condition = graph.add_constant("condition", Tensor::of<int64_t>({1}, {holds ? 1 : 0}));
  const ValueId target = graph.add_constant("target", Tensor::of<int64_t>({static_cast<int64_t>(other.size())}, other));
  graph.append_node("view", std::make_shared<Reshape>(), {x, target}, {"viewed"});
  graph.append_node("choice", std::make_shared<If>(), {condition, x, graph.find("viewed")}, {"y"});
  graph.outputs = {graph.find("y")};
  return graph;
}

TEST(If, GivesTheResultOfTheBranchThatItsConditionChooses) {
  for (const bool holds : {true, false}) {
    const Graph graph = specialise(choice(holds, {3, 2}), {.batch = 2}, test_backend());
    EXPECT_EQ(graph.value(graph.outputs[0]).shape.str(), holds ? "2×3" : "3×2");
    for (const Node& node : graph.nodes) EXPECT_FALSE(node.op->chooses_inputs());
  }
}

TEST(If, ABranchThatIsNotTakenNeedNotFit) {
  EXPECT_NO_THROW(specialise(choice(true, {4, 2}), {.batch = 2}, test_backend()));
  try {
    specialise(choice(false, {4, 2}), {.batch = 2}, test_backend());
    FAIL() << "was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("cannot view 2×3 as 4×2"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("view"), std::string::npos) << error.what();
  }
}

TEST(If, ACompositeThatFailsLeavesWhatCameBeforeInPlace) {
  for (const bool holds : {true, false}) {
    Graph graph;
    const ValueId x = graph.add_input("x", DType::f32, {kOpenDim, 3});
    const ValueId condition = graph.add_constant("condition", Tensor::of<int64_t>({1}, {holds ? 1 : 0}));
    ValueId from = x;
    for (int i = 0; i < 40; ++i) {
      const std::string name = "r" + std::to_string(i);
      graph.append_node(name, make_unary(Unary::Kind::relu), {from}, {name});
      from = graph.find(name);
    }
    auto broken = std::make_shared<BrokenComposite>();
    graph.append_node("composite", broken, {from}, {"broken"});
    graph.append_node("choice", std::make_shared<If>(), {condition, from, graph.find("broken")}, {"y"});
    graph.outputs = {graph.find("y")};
    if (holds)
      EXPECT_GE(specialise(graph, {.batch = 2}, test_backend()).nodes.size(), 40u);
    else
      EXPECT_THROW(specialise(graph, {.batch = 2}, test_backend()), Error);
  }
}

TEST(If, IsTakenForABatchBeforeTraining) {
  Graph graph = choice(false, {3, 2});
  const Graph taken = resolve_control_flow(graph, {.batch = 2}, test_backend());
  ASSERT_EQ(taken.nodes.size(), 1u);
  EXPECT_EQ(taken.nodes[0].op->type(), "Reshape");
  EXPECT_EQ(taken.outputs[0], taken.nodes[0].outputs[0]);
  EXPECT_EQ(graph.nodes.size(), 2u);  // the model keeps its choice
}

TEST(If, WhoseConditionIsDataIsRefused) {
  Graph graph;
  const ValueId condition = graph.add_input("condition", DType::f32, {kOpenDim});
  const ValueId x = graph.add_input("x", DType::f32, {kOpenDim, 3});
  graph.append_node("choice", std::make_shared<If>(), {condition, x, x}, {"y"});
  graph.outputs = {graph.find("y")};
  try {
    specialise(graph, {.batch = 2}, test_backend());
    FAIL() << "was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
  }
}

}  // namespace
}  // namespace graft
