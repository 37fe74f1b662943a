// Loops whose count follows from extents that the file leaves open. tests/fixtures/make_loops.py made the models; the
// numbers are what ONNX Runtime computes from ones.
#include <gtest/gtest.h>

#include <filesystem>

#include "importer/reader.h"
#include "importer/writer.h"
#include "runtime/core/error.h"
#include "runtime/ops/loop.h"
#include "runtime/passes/resolve_control_flow.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"
#include "tests/importer/model_proto.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

OnnxModel model(const std::string& name) {
  return read_model(
      (fs::path(__FILE__).parent_path().parent_path() / "fixtures" / "loops" / (name + ".onnx")).string());
}

/// Written to a file and read again.
OnnxModel again(const OnnxModel& model) {
  const fs::path path = fs::temp_directory_path() / ("graft_open_loop_" + std::to_string(::getpid()) + ".onnx");
  write_model(model, path.string());
  OnnxModel read = read_model(path.string());
  fs::remove(path);
  return read;
}

size_t count_loops(const Graph& graph) {
  return static_cast<size_t>(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                           [](const Node& node) { return node.op->type() == "Loop"; }));
}

struct Result {
  std::string shape;
  std::vector<float> numbers;
  bool operator==(const Result&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Result& result) {
  return out << result.shape << " " << ::testing::PrintToString(result.numbers);
}

/// Output `output` for pictures of ones, each number once where it is repeated.
Result result(const Graph& graph, const OpenDims& dims, size_t output = 0) {
  Plan plan = compile_inference(graph, dims, test_backend());
  Tensor x(DType::f32, plan.input(0).shape);
  std::fill_n(x.data<float>().begin(), x.elements(), 1.0f);
  copy_from_plain(x.raw(), plan.input(0));
  plan.forward();
  Tensor y(plan.output(output).dtype, plan.output(output).shape);
  copy_to_plain(plan.output(output), y.raw());
  const Tensor floats = cast(y, DType::f32);
  std::vector<float> numbers(floats.data<float>().begin(), floats.data<float>().end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return {y.shape().str(), numbers};
}

TEST(OpenLoop, RunsAsOftenAsTheSizeSays) {
  const OnnxModel rows = model("rows");
  EXPECT_EQ(count_loops(rows.graph), 1u);
  EXPECT_EQ(result(rows.graph, {2, 1, 2}), (Result{"2×1×1×2", {2}}));
  EXPECT_EQ(result(rows.graph, {1, 3, 9}), (Result{"1×1×3×9", {12}}));
  EXPECT_EQ(result(rows.graph, {1, 3, 9}, 1), (Result{"3×1×1×3×9", {2, 5, 12}}));
  EXPECT_EQ(result(rows.graph, {3, 2, 3}, 1), (Result{"2×3×1×2×3", {2, 5}}));
}

TEST(OpenLoop, ThatNeverRunsPassesItsInputsOnAndStacksNothing) {
  const OnnxModel less = model("batch_less_one");
  EXPECT_EQ(result(less.graph, {1, 3, 9}), (Result{"1×1×3×9", {1}}));
  EXPECT_EQ(result(less.graph, {1, 3, 9}, 1), (Result{"0×1×1×3×9", {}}));
  EXPECT_EQ(result(less.graph, {3, 2, 3}), (Result{"3×1×2×3", {4}}));
  EXPECT_EQ(result(less.graph, {3, 2, 3}, 1), (Result{"2×3×1×2×3", {1, 2}}));
}

TEST(OpenLoop, EndsWhereItsConditionDoes) {
  const OnnxModel halve = model("halve");
  EXPECT_EQ(result(halve.graph, {2, 1, 2}), (Result{"2×1×1×2", {1}}));
  EXPECT_EQ(result(halve.graph, {1, 3, 9}), (Result{"1×1×3×9", {4}}));
  EXPECT_EQ(result(halve.graph, {3, 2, 3}), (Result{"3×1×2×3", {2}}));
  EXPECT_EQ(result(halve.graph, {3, 2, 3}, 1), (Result{"scalar", {1}}));
}

TEST(OpenLoop, MayHoldLoopsAndBranches) {
  const OnnxModel triangle = model("triangle");
  EXPECT_EQ(count_loops(triangle.graph), 1u) << "the inner one is in the body";
  EXPECT_EQ(result(triangle.graph, {2, 1, 2}).numbers, std::vector<float>{1});
  EXPECT_EQ(result(triangle.graph, {1, 3, 9}).numbers, std::vector<float>{6});
  EXPECT_EQ(result(triangle.graph, {3, 2, 3}).numbers, std::vector<float>{2});
}

TEST(OpenLoop, TakesOneRowAfterTheOther) {
  const OnnxModel recurrence = model("recurrence");
  const Result three = result(recurrence.graph, {3, 2, 3});
  EXPECT_EQ(three.shape, "3×1×1×3");
  EXPECT_NEAR(three.numbers.at(0), 0.8915185332, 1e-6);
  EXPECT_NEAR(three.numbers.at(1), 0.9546344876, 1e-6);
  EXPECT_NEAR(result(recurrence.graph, {1, 3, 9}).numbers.at(3), 0.9695104360, 1e-6);
}

TEST(OpenLoop, IsWrittenUnrolledForTheUsualSize) {
  for (const std::string name : {"rows", "triangle", "recurrence"}) {
    OnnxModel before = model(name);
    before.usual_size = {4, 5};
    ASSERT_TRUE(size_fixed_by_writing(before)) << name;
    const OnnxModel after = again(before);
    EXPECT_EQ(count_loops(after.graph), 0u) << name;
    EXPECT_EQ(after.graph.value(after.graph.inputs[0]).shape.str(), "N×1×4×5") << name;
    for (const int64_t batch : {1, 3})
      for (size_t output = 0; output < before.graph.outputs.size(); ++output)
        EXPECT_EQ(result(after.graph, {batch, 4, 5}, output), result(before.graph, {batch, 4, 5}, output)) << name;
    EXPECT_EQ(again(after).graph.nodes.size(), after.graph.nodes.size()) << name << " grows as it is written";
  }
}

TEST(OpenLoop, ThatFollowsTheBatchIsNotWritten) {
  try {
    without_loops(model("batch_less_one"));
    FAIL() << "was written";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("other steps for other batches"), std::string::npos) << error.what();
  }
}

TEST(OpenLoop, IsResolvedForASizeBeforeTraining) {
  const OnnxModel recurrence = model("recurrence");
  const Graph resolved = resolve_control_flow(recurrence.graph, {2, 4, 5}, test_backend());
  EXPECT_EQ(count_loops(resolved), 0u);
  EXPECT_EQ(std::count_if(resolved.nodes.begin(), resolved.nodes.end(),
                          [](const Node& node) { return node.op->type() == "Conv"; }),
            4);
  EXPECT_EQ(resolved.value(resolved.inputs[0]).shape.str(), "N×1×H×W");
  EXPECT_EQ(result(resolved, {2, 4, 5}), result(recurrence.graph, {2, 4, 5}));
  EXPECT_EQ(count_loops(recurrence.graph), 1u) << "the model keeps its loop";
}

TEST(OpenLoop, WhoseConditionIsDataIsRefused) {
  try {
    model("by_data_within");
    FAIL() << "was read";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("its condition depends on the data"), std::string::npos) << error.what();
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
  }
}

class OpenLoopProto : public ModelProtoTest {};

/// As many iterations as the input has numbers, a million times.
TEST_F(OpenLoopProto, WithoutAnEndIsRefused) {
  onnx::ModelProto proto = empty_model({-1, 3, -1, -1});
  auto& graph = *proto.mutable_graph();
  add_integers(graph, "million", {1000000});
  add_node(graph, "Size", {"x"}, {"numbers"});
  add_node(graph, "Mul", {"numbers", "million"}, {"count"});
  add_node(add_loop(graph, "count", "w"), "Add", {"v", "v"}, {"w"});
  EXPECT_NE(error_of(proto).find("runs 150528000000 times"), std::string::npos) << error_of(proto);
}

/// Twenty loops, each counted by what the one before made.
TEST_F(OpenLoopProto, MayCountByWhatAnotherLoopMade) {
  onnx::ModelProto proto = empty_model({-1, 3, -1, 8});
  auto& graph = *proto.mutable_graph();
  add_integers(graph, "axis", {2});
  add_node(graph, "Shape", {"x"}, {"shape"});
  add_node(graph, "Gather", {"shape", "axis"}, {"count0"});
  for (int i = 0; i < 20; ++i) {
    const std::string from = "count" + std::to_string(i), to = "count" + std::to_string(i + 1);
    auto& loop = add_node(graph, "Loop", {from.c_str(), "", from.c_str()}, {to.c_str()});
    auto& body = *add_attribute(loop, "body", onnx::AttributeProto::GRAPH).mutable_g();
    for (const char* name : {"i", "go", "v"}) body.add_input()->set_name(name);
    add_node(body, "Identity", {"go"}, {"on"});
    add_node(body, "Identity", {"v"}, {"w"});
    for (const char* name : {"on", "w"}) body.add_output()->set_name(name);
  }
  add_node(add_loop(graph, "count20", "w"), "Add", {"v", "v"}, {"w"});
  EXPECT_EQ(run(proto, {2, 3, 8}).data<float>()[0], 8);
  EXPECT_EQ(run(proto, {2, 5, 8}).data<float>()[0], 32);
}

TEST_F(OpenLoopProto, MayGiveWhatItDoesNotMake) {
  onnx::ModelProto proto = empty_model({-1, 3, -1, 8});
  auto& graph = *proto.mutable_graph();
  add_integers(graph, "axis", {2});
  add_node(graph, "Shape", {"x"}, {"shape"});
  add_node(graph, "Gather", {"shape", "axis"}, {"count"});
  add_node(graph, "Add", {"x", "x"}, {"doubled"});
  add_loop(graph, "count", "doubled");  // the next state is a value from around the loop
  EXPECT_EQ(run(proto, {2, 3, 8}).data<float>()[0], 2);
}

/// Nothing but what two carried values become, the height from around the loop, makes its end follow a size.
TEST_F(OpenLoopProto, MayEndByAValueFromAroundIt) {
  onnx::ModelProto proto = empty_model({-1, 3, -1, 8});
  auto& graph = *proto.mutable_graph();
  add_integers(graph, "axis", {2});
  add_integers(graph, "none", {0});
  add_integers(graph, "ten", {10});
  add_node(graph, "Shape", {"x"}, {"shape"});
  add_node(graph, "Gather", {"shape", "axis"}, {"height"});
  auto& loop = add_node(graph, "Loop", {"", "", "none", "none", "x"}, {"first", "second", "y"});
  auto& body = *add_attribute(loop, "body", onnx::AttributeProto::GRAPH).mutable_g();
  for (const char* name : {"i", "go", "bound", "other", "v"}) body.add_input()->set_name(name);
  add_node(body, "Add", {"i", "bound"}, {"sum"});
  add_node(body, "Less", {"sum", "ten"}, {"on"});
  add_node(body, "Add", {"v", "v"}, {"w"});
  for (const char* name : {"on", "height", "height", "w"}) body.add_output()->set_name(name);
  // The first iteration adds nothing, the others the height: 11 - height iterations.
  EXPECT_EQ(run(proto, {1, 3, 8}).data<float>()[0], 256);
  EXPECT_EQ(run(proto, {1, 5, 8}).data<float>()[0], 64);
}

TEST_F(OpenLoopProto, OfAnotherNumberOfInputsIsDamaged) {
  for (const int inputs : {0, 1, 2, 4}) {
    onnx::ModelProto proto = empty_model({-1, 3, -1, 8});
    auto& graph = *proto.mutable_graph();
    add_integers(graph, "axis", {2});
    add_node(graph, "Shape", {"x"}, {"shape"});
    add_node(graph, "Gather", {"shape", "axis"}, {"count"});
    auto& body = add_loop(graph, "count", "w");
    add_node(body, "Add", {"v", "v"}, {"w"});
    while (body.input_size() > inputs) body.mutable_input()->RemoveLast();
    while (body.input_size() < inputs) body.add_input()->set_name("more");
    EXPECT_NE(error_of(proto).find("other inputs or outputs than its body"), std::string::npos) << error_of(proto);
    body.clear_output();
    EXPECT_NE(error_of(proto).find("other inputs or outputs than its body"), std::string::npos) << error_of(proto);
  }
}

/// Each of a file's loops alone would pass.
TEST_F(OpenLoopProto, SeveralShareOneBudget) {
  onnx::ModelProto proto = empty_model({-1, 3, -1, -1});
  auto& graph = *proto.mutable_graph();
  add_integers(graph, "many", {200});
  add_integers(graph, "axis", {2});
  add_node(graph, "Shape", {"x"}, {"shape"});
  add_node(graph, "Gather", {"shape", "axis"}, {"height"});
  add_node(graph, "Mul", {"height", "many"}, {"count"});
  for (int i = 0; i < 4; ++i) {
    const std::string from = i == 0 ? "x" : "y" + std::to_string(i), to = i == 3 ? "y" : "y" + std::to_string(i + 1);
    auto& loop = add_node(graph, "Loop", {"count", "", from.c_str()}, {to.c_str()});
    auto& body = *add_attribute(loop, "body", onnx::AttributeProto::GRAPH).mutable_g();
    for (const char* name : {"i", "go", "v"}) body.add_input()->set_name(name);
    add_node(body, "Identity", {"go"}, {"on"});
    add_node(body, "Abs", {"v"}, {"w"});
    for (const char* name : {"on", "w"}) body.add_output()->set_name(name);
  }
  EXPECT_NE(error_of(proto), "");
  EXPECT_TRUE(error_of(proto).find("more than 100000 nodes") != std::string::npos ||
              error_of(proto).find("steps to find its sizes") != std::string::npos)
      << error_of(proto);
}

/// Height / 512 + 1 iterations: one at all usual sizes.
TEST_F(OpenLoopProto, CountsAnewForUnusualSizes) {
  onnx::ModelProto proto = empty_model({1, 3, -1, -1});
  auto& graph = *proto.mutable_graph();
  add_integers(graph, "large", {512});
  add_integers(graph, "one", {1});
  add_integers(graph, "axis", {2});
  add_node(graph, "Shape", {"x"}, {"shape"});
  add_node(graph, "Gather", {"shape", "axis"}, {"height"});
  add_node(graph, "Div", {"height", "large"}, {"times"});
  add_node(graph, "Add", {"times", "one"}, {"count"});
  add_node(add_loop(graph, "count", "w"), "Add", {"v", "v"}, {"w"});
  EXPECT_EQ(run(proto, {1, 224, 4}).data<float>()[0], 2);
  EXPECT_EQ(run(proto, {2, 1536, 4}).data<float>()[0], 16);
}

/// Fixed extents and an open batch: the count is a number when the file is read.
TEST_F(OpenLoopProto, WhoseCountNoOpenExtentChangesIsUnrolled) {
  onnx::ModelProto proto = empty_model({-1, 3, 5, 8});
  auto& graph = *proto.mutable_graph();
  add_integers(graph, "axis", {2});
  add_node(graph, "Shape", {"x"}, {"shape"});
  add_node(graph, "Gather", {"shape", "axis"}, {"count"});
  add_node(add_loop(graph, "count", "w"), "Add", {"v", "v"}, {"w"});
  EXPECT_EQ(count_loops(read(proto).graph), 0u);
  EXPECT_EQ(run(proto, {2, 5, 8}).data<float>()[0], 32);
}

}  // namespace
}  // namespace graft
