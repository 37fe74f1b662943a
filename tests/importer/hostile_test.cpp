// Files that are made to break a reader, and odd ones that are valid all the same.
#include <chrono>
#include <limits>

#include "tests/importer/model_proto.h"

namespace graft {
namespace {

class HostileTest : public ModelProtoTest {};

/// F0 calls F1 twice, F1 calls F2 twice, and so on.
onnx::ModelProto doubling_functions(int depth) {
  onnx::ModelProto model = empty_model();
  for (int i = 0; i < depth; ++i) {
    auto& function = *model.add_functions();
    function.set_name("F" + std::to_string(i));
    function.set_domain("own");
    function.add_input("a");
    function.add_output("c");
    function.add_opset_import()->set_version(17);
    const bool last = i + 1 == depth;
    const std::string next = last ? "Relu" : "F" + std::to_string(i + 1);
    for (const auto& [from, to] : {std::pair{"a", "b"}, std::pair{"b", "c"}})
      if (auto& node = add_node(function, next, {from}, {to}); !last) node.set_domain("own");
  }
  add_node(*model.mutable_graph(), "F0", {"x"}, {"y"}).set_domain("own");
  return model;
}

TEST_F(HostileTest, FunctionsAreInlinedWithinABudget) {
  EXPECT_EQ(run(doubling_functions(4)).data<float>()[0], 1);
  EXPECT_EQ(read(doubling_functions(4)).graph.nodes.size(), 16u);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_NE(error_of(doubling_functions(60)).find("holds more than 200000 nodes"), std::string::npos);
  // Counting takes no time; only a reader that expands first would take seconds. Not a measurement: a bound on sanity.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST_F(HostileTest, AFunctionThatCallsItselfIsRefused) {
  onnx::ModelProto model = doubling_functions(3);
  auto& last = *model.mutable_functions(2);
  last.mutable_node(0)->set_op_type("F0");
  last.mutable_node(0)->set_domain("own");
  EXPECT_NE(error_of(model).find("calls itself"), std::string::npos);
}

TEST_F(HostileTest, AFunctionThatTakesAGraphIsRefused) {
  for (const bool by_default : {true, false}) {
    onnx::ModelProto model = doubling_functions(2);
    onnx::AttributeProto* attribute = nullptr;
    if (by_default)
      attribute = model.mutable_functions(0)->add_attribute_proto();
    else
      attribute = model.mutable_graph()->mutable_node(0)->add_attribute();
    attribute->set_name("body");
    attribute->set_type(onnx::AttributeProto::GRAPH);
    add_node(*attribute->mutable_g(), "Foo", {}, {"z"});
    EXPECT_NE(error_of(model).find("takes a graph"), std::string::npos) << error_of(model);
  }
}

TEST_F(HostileTest, AnIfWithoutOutputsIsRefused) {
  onnx::ModelProto model = empty_model();
  add_integers(*model.mutable_graph(), "one", {1});
  add_node(*model.mutable_graph(), "If", {"one"}, {});
  add_node(*model.mutable_graph(), "Abs", {"x"}, {"y"});
  EXPECT_NE(error_of(model).find("has no outputs"), std::string::npos) << error_of(model);
}

/// A file of a few kilobytes whose work has no bounds.
TEST_F(HostileTest, WorkThatMakesNoNodesIsCountedToo) {
  onnx::ModelProto model = empty_model();
  auto& graph = *model.mutable_graph();
  auto& body = add_loop(graph, "", "v");
  add_integers(body, "one", {1});
  for (int i = 0; i < 200; ++i) {
    const std::string name = "unused" + std::to_string(i);
    auto& choice = add_node(body, "If", {"one"}, {name.c_str()});
    for (const char* branch : {"then_branch", "else_branch"}) {
      auto& empty = *add_attribute(choice, branch, onnx::AttributeProto::GRAPH).mutable_g();
      empty.add_output()->set_name("v");
    }
  }
  EXPECT_NE(error_of(model).find("more than 400000 nodes"), std::string::npos) << error_of(model);
}

TEST_F(HostileTest, ManyLargeTablesAreNotAllComputedBeforehand) {
  onnx::ModelProto model = empty_model({1, 1, 1, 1});
  auto& graph = *model.mutable_graph();
  add_integers(graph, "large", {2048, 2048});
  add_node(graph, "Cast", {"large"}, {"numbers"});
  add_attribute(*graph.mutable_node(0), "to", onnx::AttributeProto::INT).set_i(onnx::TensorProto::FLOAT);
  std::string sum = "x";
  for (int i = 0; i < 40; ++i) {
    const std::string one = "v" + std::to_string(i), table = "t" + std::to_string(i), top = "m" + std::to_string(i),
                      next = "s" + std::to_string(i);
    auto& constant = *graph.add_initializer();
    constant.set_name(one);
    constant.set_data_type(onnx::TensorProto::FLOAT);
    constant.add_float_data(1);
    add_node(graph, "Expand", {one.c_str(), "large"}, {table.c_str()});
    add_node(graph, "ReduceMax", {table.c_str()}, {top.c_str()});
    add_node(graph, "Add", {sum.c_str(), top.c_str()}, {next.c_str()});
    sum = next;
  }
  add_node(graph, "Abs", {sum.c_str()}, {"y"});
  EXPECT_EQ(run(model, {1, 1, 1}).data<float>()[0], 41);
}

TEST_F(HostileTest, AttributesOfACallReachTheBody) {
  onnx::ModelProto model = empty_model();
  auto& function = *model.add_functions();
  function.set_name("Leaky");
  function.set_domain("own");
  function.add_input("a");
  function.add_output("b");
  function.add_attribute("slope");
  function.add_opset_import()->set_version(17);
  auto& inner = add_node(function, "LeakyRelu", {"a"}, {"b"});
  auto& reference = *inner.add_attribute();
  reference.set_name("alpha");
  reference.set_type(onnx::AttributeProto::FLOAT);
  reference.set_ref_attr_name("slope");
  auto& negate = add_node(*model.mutable_graph(), "Neg", {"x"}, {"n"});
  negate.set_name("negate");
  auto& call = add_node(*model.mutable_graph(), "Leaky", {"n"}, {"y"});
  call.set_domain("own");
  auto& slope = *call.add_attribute();
  slope.set_name("slope");
  slope.set_type(onnx::AttributeProto::FLOAT);
  slope.set_f(0.25f);
  EXPECT_EQ(run(model).data<float>()[0], -0.25f);
}

TEST_F(HostileTest, BranchesHaveNamesOfTheirOwn) {
  onnx::ModelProto model = empty_model();
  auto& graph = *model.mutable_graph();
  auto& yes = *graph.add_initializer();
  yes.set_name("yes");
  yes.set_data_type(onnx::TensorProto::BOOL);
  yes.add_int32_data(1);
  const char* from = "x";
  for (const char* to : {"m", "y"}) {
    auto& node = add_node(graph, "If", {"yes"}, {to});
    for (const char* branch : {"then_branch", "else_branch"}) {
      auto& attribute = *node.add_attribute();
      attribute.set_name(branch);
      attribute.set_type(onnx::AttributeProto::GRAPH);
      auto& body = *attribute.mutable_g();
      add_node(body, "Neg", {from}, {"t"});
      add_node(body, "Abs", {"t"}, {"u"});
      body.add_output()->set_name("u");
    }
    from = to;
  }
  EXPECT_EQ(run(model).data<float>()[0], 1);
}

TEST_F(HostileTest, NodesMayStandInAnyOrderButNotInACircle) {
  onnx::ModelProto model = empty_model();
  add_node(*model.mutable_graph(), "Relu", {"b"}, {"y"});
  add_node(*model.mutable_graph(), "Neg", {"a"}, {"b"});
  add_node(*model.mutable_graph(), "Neg", {"x"}, {"a"});
  EXPECT_EQ(run(model).data<float>()[0], 1);
  model.mutable_graph()->mutable_node(2)->set_input(0, "b");
  EXPECT_NE(error_of(model).find("form a cycle"), std::string::npos);
}

TEST_F(HostileTest, IntegerDivisionNeverEndsTheProcess) {
  for (const int64_t divisor : {-1, 0}) {
    onnx::ModelProto model = empty_model();
    auto& graph = *model.mutable_graph();
    add_integers(graph, "a", {std::numeric_limits<int64_t>::lowest(), 7});
    add_integers(graph, "b", {divisor, divisor});
    add_node(graph, "Div", {"a", "b"}, {"y"});
    if (divisor == 0) {
      EXPECT_NE(error_of(model).find("division by zero"), std::string::npos);
    } else {
      EXPECT_EQ(run(model).data<int64_t>()[0], std::numeric_limits<int64_t>::lowest());
    }
  }
}

TEST_F(HostileTest, PaddingOfNothingIsRefusedAtItsShapeRule) {
  for (const char* mode : {"edge", "reflect", "wrap"}) {
    onnx::ModelProto model = empty_model();
    model.mutable_opset_import(0)->set_version(19);
    auto& graph = *model.mutable_graph();
    add_integers(graph, "s", {0});
    add_integers(graph, "pads", {0, 0, 0, 2, 0, 0, 0, 2});
    add_integers(graph, "axis", {3});
    add_node(graph, "Slice", {"x", "s", "s", "axis"}, {"nothing"});
    auto& pad = add_node(graph, "Pad", {"nothing", "pads"}, {"y"});
    auto& attribute = *pad.add_attribute();
    attribute.set_name("mode");
    attribute.set_type(onnx::AttributeProto::STRING);
    attribute.set_s(mode);
    EXPECT_NE(error_of(model).find("is empty: there is nothing to fill the padding with"), std::string::npos) << mode;
  }
}

TEST_F(HostileTest, RangeTakesThreeNumbersOfOneType) {
  onnx::ModelProto model = empty_model();
  auto& graph = *model.mutable_graph();
  for (const char* name : {"start", "limit", "step"}) {
    auto& tensor = *graph.add_initializer();
    tensor.set_name(name);
    const bool whole = std::string(name) != "limit";
    tensor.set_data_type(whole ? onnx::TensorProto::INT64 : onnx::TensorProto::FLOAT);
    if (whole)
      tensor.add_int64_data(1);
    else
      tensor.add_float_data(5);
  }
  add_node(graph, "Range", {"start", "limit", "step"}, {"y"});
  EXPECT_NE(error_of(model).find("start, limit and step are int64, float32 and int64"), std::string::npos);
}

TEST_F(HostileTest, BytesOfBooleansAreTrueOrFalse) {
  onnx::ModelProto model = empty_model({1, 4});
  auto& graph = *model.mutable_graph();
  auto& marks = *graph.add_initializer();
  marks.set_name("marks");
  marks.set_data_type(onnx::TensorProto::BOOL);
  marks.add_dims(4);
  marks.set_raw_data(std::string("\x02\x00\xff\x01", 4));
  add_node(graph, "Not", {"marks"}, {"y"});
  const Tensor y = run(model);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(static_cast<const uint8_t*>(y.raw())[i], i == 1 ? 1 : 0) << i;
}

TEST_F(HostileTest, AnOpenSizeIsNotTakenFor224) {
  // Three halvings and a window of 35: 280 pixels are the least.
  onnx::ModelProto model = empty_model({-1, 3, -1, -1});
  auto& graph = *model.mutable_graph();
  const char* from = "x";
  for (const auto& [to, size] : {std::pair{"a", 2}, std::pair{"b", 2}, std::pair{"c", 2}, std::pair{"y", 35}}) {
    auto& pool = add_node(graph, "AveragePool", {from}, {to});
    for (const char* name : {"kernel_shape", "strides"}) {
      auto& attribute = *pool.add_attribute();
      attribute.set_name(name);
      attribute.set_type(onnx::AttributeProto::INTS);
      for (int i = 0; i < 2; ++i) attribute.add_ints(std::string(name) == "strides" && size == 35 ? 1 : size);
    }
    from = to;
  }
  EXPECT_EQ(read(model).usual_size.height, 299);
  EXPECT_EQ(run(model, {1, 299, 320}).shape().str(), "1×3×3×6");
  EXPECT_EQ(read(model).graph.value(read(model).graph.inputs[0]).shape.str(), "N×3×H×W");
  EXPECT_THROW(run(model, {1, 224, 224}), Error);
}

}  // namespace
}  // namespace graft
