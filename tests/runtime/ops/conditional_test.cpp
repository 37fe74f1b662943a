#include "runtime/ops/conditional.h"

#include <gtest/gtest.h>

#include "runtime/ops/reshape.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

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
