// Extents that a file leaves open: batch, height and width stay so until a plan is made for a size.
#include "importer/writer.h"
#include "runtime/passes/passes.h"
#include "tests/importer/model_proto.h"

namespace graft {
namespace {

class OpenSizesTest : public ModelProtoTest {
 protected:
  std::string input_shape(const onnx::ModelProto& proto) const {
    const OnnxModel model = read(proto);
    return model.graph.value(model.graph.inputs[0]).shape.str();
  }
  std::string output_shape(const onnx::ModelProto& proto, const OpenDims& dims) const {
    return run(proto, dims).shape().str();
  }
  OnnxModel written_and_read(const OnnxModel& model, onnx::ModelProto* proto = nullptr) const {
    const auto path = std::filesystem::temp_directory_path() / ("graft_open_" + std::to_string(::getpid()) + ".onnx");
    write_model(model, path.string());
    OnnxModel again = read_model(path.string());
    if (proto) {
      std::ifstream stream(path, std::ios::binary);
      EXPECT_TRUE(proto->ParseFromIstream(&stream));
    }
    std::filesystem::remove(path);
    return again;
  }
};

onnx::NodeProto& add_windows(onnx::GraphProto& graph, const char* from, const char* to, int64_t size, int64_t stride) {
  onnx::NodeProto& pool = add_node(graph, "AveragePool", {from}, {to});
  add_integer_list(pool, "kernel_shape", {size, size});
  add_integer_list(pool, "strides", {stride, stride});
  return pool;
}

onnx::GraphProto& add_branch(onnx::NodeProto& choice, const char* name) {
  auto& graph = *add_attribute(choice, name, onnx::AttributeProto::GRAPH).mutable_g();
  graph.set_name(name);
  return graph;
}

/// Adds `name` = extent `axis` of x.
void add_extent(onnx::GraphProto& graph, const char* name, int64_t axis) {
  const std::string index = std::string(name) + ":axis", shape = std::string(name) + ":shape";
  add_integers(graph, index.c_str(), {axis});
  add_node(graph, "Shape", {"x"}, {shape.c_str()});
  add_node(graph, "Gather", {shape.c_str(), index.c_str()}, {name});
}

/// What torch.onnx.export makes of y = x.squeeze(0): Squeeze where the batch is one, else x doubled here, to tell.
onnx::ModelProto squeeze_a_batch_of_one() {
  onnx::ModelProto model = empty_model({-1, 3, 8, 8});
  auto& graph = *model.mutable_graph();
  add_integers(graph, "one", {1});
  add_extent(graph, "batch", 0);
  add_node(graph, "Equal", {"batch", "one"}, {"is_one"});
  add_node(graph, "Abs", {"x"}, {"a"});
  auto& choice = add_node(graph, "If", {"is_one"}, {"y"});
  auto& then = add_branch(choice, "then_branch");
  add_integers(then, "zero", {0});
  add_node(then, "Squeeze", {"a", "zero"}, {"s"});
  then.add_output()->set_name("s");
  auto& otherwise = add_branch(choice, "else_branch");
  add_node(otherwise, "Add", {"a", "x"}, {"s"});
  otherwise.add_output()->set_name("s");
  return model;
}

TEST_F(OpenSizesTest, ABranchIsChosenAnewForEachBatch) {
  const onnx::ModelProto model = squeeze_a_batch_of_one();
  EXPECT_EQ(input_shape(model), "N×3×8×8");
  const Tensor one = run(model, {1}), two = run(model, {2});
  EXPECT_EQ(one.shape().str(), "3×8×8");
  EXPECT_EQ(one.data<float>()[0], 1);
  EXPECT_EQ(two.shape().str(), "2×3×8×8");
  EXPECT_EQ(two.data<float>()[0], 2);
}

/// Operators of a graph's nodes, with those of branches in brackets.
std::string outline(const onnx::GraphProto& graph) {
  std::string text;
  for (const auto& node : graph.node()) {
    if (node.op_type() == "Identity") continue;
    text += (text.empty() ? "" : " ") + node.op_type();
    for (const auto& attribute : node.attribute())
      if (attribute.has_g()) text += "[" + outline(attribute.g()) + "]";
  }
  return text;
}

TEST_F(OpenSizesTest, BothBranchesAreWrittenInsideTheirIf) {
  onnx::ModelProto proto;
  const OnnxModel again = written_and_read(read(squeeze_a_batch_of_one()), &proto);
  EXPECT_EQ(outline(proto.graph()), "Shape Gather Equal Abs If[Squeeze][Add]");
  EXPECT_EQ(proto.graph().output(0).type().tensor_type().has_shape(), false);  // it has 3 dimensions, or 4
  EXPECT_EQ(run(again, {1}).shape().str(), "3×8×8");
  EXPECT_EQ(run(again, {2}).shape().str(), "2×3×8×8");
  EXPECT_EQ(run(again, {2}).data<float>()[0], 2);
}

TEST_F(OpenSizesTest, WhatIsWrittenTwiceDoesNotGrow) {
  onnx::ModelProto once, twice;
  const OnnxModel again = written_and_read(written_and_read(read(squeeze_a_batch_of_one()), &once), &twice);
  EXPECT_EQ(once.graph().node_size(), twice.graph().node_size());
  EXPECT_EQ(run(again, {2}).data<float>()[0], 2);
}

TEST_F(OpenSizesTest, ANestedBranchIsWrittenInsideTheOuterOne) {
  // Batch 1: 2x, batch 2: 3x, else 4x.
  onnx::ModelProto model = empty_model({-1, 4});
  auto& graph = *model.mutable_graph();
  add_integers(graph, "one", {1});
  add_integers(graph, "two", {2});
  add_extent(graph, "batch", 0);
  add_node(graph, "Equal", {"batch", "one"}, {"is_one"});
  add_node(graph, "Equal", {"batch", "two"}, {"is_two"});
  auto& outer = add_node(graph, "If", {"is_one"}, {"y"});
  auto& first = add_branch(outer, "then_branch");
  add_node(first, "Add", {"x", "x"}, {"r"});
  first.add_output()->set_name("r");
  auto& rest = add_branch(outer, "else_branch");
  auto& inner = add_node(rest, "If", {"is_two"}, {"r"});
  auto& second = add_branch(inner, "then_branch");
  add_node(second, "Sum", {"x", "x", "x"}, {"r2"});
  second.add_output()->set_name("r2");
  auto& third = add_branch(inner, "else_branch");
  add_node(third, "Sum", {"x", "x", "x", "x"}, {"r2"});
  third.add_output()->set_name("r2");
  rest.add_output()->set_name("r");

  onnx::ModelProto proto;
  const OnnxModel read_once = read(model), again = written_and_read(read_once, &proto);
  EXPECT_EQ(outline(proto.graph()), "Shape Gather Equal If[Add][Equal If[Add Add][Add Add Add]]");
  for (const OnnxModel* m : {&read_once, &again})
    for (const int64_t batch : {1, 2, 3})
      EXPECT_EQ(run(*m, {batch}).data<float>()[0], static_cast<float>(std::min<int64_t>(batch, 3) + 1)) << batch;
}

TEST_F(OpenSizesTest, AFixedBatchIsOpenedAndAllElseIsLeftAsItWas) {
  // Each channel in one row: the file leaves the rest of the target out, as the size is open.
  onnx::ModelProto model = empty_model({1, 3, -1, -1});
  auto& graph = *model.mutable_graph();
  add_integers(graph, "rows", {1, 3, -1});
  add_node(graph, "Reshape", {"x", "rows"}, {"flat"});
  auto& mean = add_node(graph, "ReduceMean", {"flat"}, {"y"});
  add_integer_list(mean, "axes", {2});
  auto& keep = add_attribute(mean, "keepdims", onnx::AttributeProto::INT);
  keep.set_i(0);
  for (const int64_t side : {32, 224, 448})
    for (const int64_t batch : {1, 4}) EXPECT_EQ(output_shape(model, {batch, side, side}), Shape({batch, 3}).str());
}

TEST_F(OpenSizesTest, TheWrittenFileDeclaresWhatIsOpen) {
  for (const bool channels_last : {false, true}) {
    onnx::ModelProto model = channels_last ? empty_model({-1, -1, -1, 3}) : empty_model({-1, 3, -1, -1});
    add_node(*model.mutable_graph(), "Abs", {"x"}, {"y"});
    onnx::ModelProto proto;
    written_and_read(read(model), &proto);
    const auto text = [](const onnx::ValueInfoProto& info) {
      std::string dims;
      for (const auto& dim : info.type().tensor_type().shape().dim())
        dims += (dims.empty() ? "" : " ") + (dim.has_dim_value()   ? std::to_string(dim.dim_value())
                                             : dim.has_dim_param() ? dim.dim_param()
                                                                   : "?");
      return dims;
    };
    EXPECT_EQ(text(proto.graph().input(0)), channels_last ? "N height width 3" : "N 3 height width");
    EXPECT_EQ(text(proto.graph().output(0)), channels_last ? "N ? ? 3" : "N 3 ? ?");
  }
}

TEST_F(OpenSizesTest, AnAttentionThatIsSpelledOutFixesTheSizeAndSaysSo) {
  onnx::ModelProto model = empty_model({-1, 3, -1, -1});
  model.mutable_opset_import(0)->set_version(23);
  auto& graph = *model.mutable_graph();
  add_windows(graph, "x", "small", 16, 16);
  add_integers(graph, "tokens", {0, 3, -1});
  add_node(graph, "Reshape", {"small", "tokens"}, {"rows"});
  add_integer_list(add_node(graph, "Transpose", {"rows"}, {"t"}), "perm", {0, 2, 1});
  auto& attention = add_node(graph, "Attention", {"t", "t", "t"}, {"y"});
  for (const char* heads : {"q_num_heads", "kv_num_heads"})
    add_attribute(attention, heads, onnx::AttributeProto::INT).set_i(1);
  const OnnxModel open = read(model);
  EXPECT_EQ(run(open, {2, 32, 48}).shape().str(), "2×6×3");
  ASSERT_TRUE(size_fixed_by_writing(open));
  EXPECT_EQ(size_fixed_by_writing(open)->height, 224);
  const OnnxModel again = written_and_read(open);
  EXPECT_EQ(again.graph.value(again.graph.inputs[0]).shape.str(), "N×3×224×224");
  EXPECT_EQ(run(again, {2, 224, 224}).shape().str(), "2×196×3");
  EXPECT_FALSE(size_fixed_by_writing(read(squeeze_a_batch_of_one())));
}

TEST_F(OpenSizesTest, ABranchThatFitsNoUsualSizeStillHasTypes) {
  // At batch 1 the dense layer of the other branch cannot be; it is written as what it is all the same.
  onnx::ModelProto model = empty_model({-1, 4});
  auto& graph = *model.mutable_graph();
  add_integers(graph, "one", {1});
  add_integers(graph, "pairs", {1, 8});
  add_extent(graph, "batch", 0);
  add_node(graph, "Equal", {"batch", "one"}, {"is_one"});
  auto& weights = *graph.add_initializer();
  weights.set_name("w");
  weights.set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t extent : {8, 4}) weights.add_dims(extent);
  for (int i = 0; i < 32; ++i) weights.add_float_data(1);
  auto& choice = add_node(graph, "If", {"is_one"}, {"y"});
  auto& then = add_branch(choice, "then_branch");
  add_node(then, "Abs", {"x"}, {"r"});
  then.add_output()->set_name("r");
  auto& otherwise = add_branch(choice, "else_branch");
  add_node(otherwise, "Reshape", {"x", "pairs"}, {"rows"});
  add_node(otherwise, "MatMul", {"rows", "w"}, {"product"});
  add_node(otherwise, "Shape", {"product"}, {"extents"});
  add_attribute(add_node(otherwise, "Cast", {"extents"}, {"sizes"}), "to", onnx::AttributeProto::INT)
      .set_i(onnx::TensorProto::FLOAT);
  add_node(otherwise, "ReduceSum", {"sizes"}, {"sum"});
  add_node(otherwise, "Add", {"product", "sum"}, {"r"});
  otherwise.add_output()->set_name("r");
  OnnxModel open = read(model);
  remove_identities(open.graph, /*keep_dropout=*/false);
  canonicalise_dense(open.graph);
  onnx::ModelProto proto;
  const OnnxModel again = written_and_read(open, &proto);
  EXPECT_NE(outline(proto.graph()).find("Cast"), std::string::npos) << outline(proto.graph());
  EXPECT_EQ(run(again, {1}).data<float>()[0], 1);
  EXPECT_EQ(run(again, {2}).data<float>()[0], 8 + 5);
}

TEST_F(OpenSizesTest, ExtentsOfMinusOneOrZeroAreOpen) {
  for (const int64_t extent : {-1, 0}) {
    onnx::ModelProto model = empty_model({1, 3, 1, 1});
    auto& shape = *model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
    for (const int i : {0, 2, 3}) shape.mutable_dim(i)->set_dim_value(extent);
    add_windows(*model.mutable_graph(), "x", "y", 5, 1);
    EXPECT_EQ(input_shape(model), "N×3×H×W") << extent;
    EXPECT_EQ(output_shape(model, {2, 9, 11}), "2×3×5×7") << extent;
  }
}

TEST_F(OpenSizesTest, AnInputWithoutAShapeIsABatchOfPictures) {
  for (const int64_t channels : {3, 1}) {
    onnx::ModelProto model = empty_model();
    auto& graph = *model.mutable_graph();
    graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
    auto& weights = *graph.add_initializer();
    weights.set_name("w");
    weights.set_data_type(onnx::TensorProto::FLOAT);
    for (const int64_t extent : {int64_t{2}, channels, int64_t{3}, int64_t{3}}) weights.add_dims(extent);
    for (int64_t i = 0; i < 2 * channels * 9; ++i) weights.add_float_data(1);
    add_node(graph, "Conv", {"x", "w"}, {"y"});
    EXPECT_EQ(input_shape(model), "N×" + std::to_string(channels) + "×H×W");
    EXPECT_EQ(output_shape(model, {2, 9, 11}), "2×2×7×9");
  }
}

/// A network that fits one size alone, and leaves it open.
onnx::ModelProto model_of_one_size(int64_t height, int64_t width) {
  onnx::ModelProto model = empty_model({-1, 3, -1, -1});
  auto& graph = *model.mutable_graph();
  auto& weights = *graph.add_initializer();
  weights.set_name("w");
  weights.set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t extent : {int64_t{1}, height, width}) weights.add_dims(extent);
  for (int64_t i = 0; i < height * width; ++i) weights.add_float_data(1);
  add_integers(graph, "shape", {-1, 3 * height * width});  // no broadcast of a single pixel
  add_node(graph, "Reshape", {"x", "shape"}, {"rows"});
  add_node(graph, "Add", {"x", "w"}, {"y"});
  return model;
}

TEST_F(OpenSizesTest, ASizeThatTheNetworkAloneFixesIsFound) {
  // 256×128 is what networks for people are made for, 24×94 for number plates.
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{123, 123}, {256, 128}, {24, 94}, {96, 544}}) {
    const onnx::ModelProto model = model_of_one_size(height, width);
    const PictureSize usual = read(model).usual_size;
    EXPECT_EQ(usual.height, height);
    EXPECT_EQ(usual.width, width);
    EXPECT_EQ(output_shape(model, {2, height, width}), Shape({2, 3, height, width}).str());
  }
}

TEST_F(OpenSizesTest, AnUnusualSizeIsFoundWhereTheCallerGivesIt) {
  const auto path = std::filesystem::temp_directory_path() / ("graft_one_size_" + std::to_string(::getpid()) + ".onnx");
  {
    std::ofstream stream(path, std::ios::binary);
    model_of_one_size(37, 211).SerializeToOstream(&stream);
  }
  const auto read_given = [&](const Shape& shape) {
    return read_model(path.string(), [&](const Graph&) { return OpenDims{1, 224, 224, {{"x", shape}}}; });
  };
  EXPECT_THROW(read_model(path.string()), Error);
  EXPECT_THROW(read_given({1, 3, 38, 211}), Error);
  EXPECT_THROW(read_given({1, 3, int64_t{1} << 62, int64_t{1} << 62}), Error);
  EXPECT_THROW(read_given({37, 211}), Error);
  EXPECT_EQ(read_given({5, 3, 37, 211}).graph.inputs.size(), 1u);
  EXPECT_EQ(read_given({1, 4, 37, 211}).graph.inputs.size(), 1u) << "the file says 3 channels";
  const PictureSize usual = read_model(path.string(), [](const Graph&) { return OpenDims{1, 37, 211}; }).usual_size;
  EXPECT_EQ(usual.height, 37);
  EXPECT_EQ(usual.width, 211);
  std::filesystem::remove(path);
}

TEST_F(OpenSizesTest, OpenNumbersOfChannelsAreFoundInADeepNetwork) {
  for (const int64_t channels : {1, 2, 3, 4}) {
    onnx::ModelProto model = empty_model({-1, -1, -1, -1});
    auto& graph = *model.mutable_graph();
    auto& weights = *graph.add_initializer();
    weights.set_name("w");
    weights.set_data_type(onnx::TensorProto::FLOAT);
    for (const int64_t extent : {int64_t{1}, channels, int64_t{1}, int64_t{1}}) weights.add_dims(extent);
    for (int64_t i = 0; i < channels; ++i) weights.add_float_data(1);
    add_node(graph, "Conv", {"x", "w"}, {"y0"});
    for (int i = 0; i < 300; ++i) {
      const std::string from = "y" + std::to_string(i), to = i == 299 ? "y" : "y" + std::to_string(i + 1);
      add_node(graph, "Sigmoid", {from.c_str()}, {to.c_str()});
    }
    EXPECT_EQ(input_shape(model), Shape({kOpenDim, channels, kOpenDim, kOpenDim}).str());
  }
}

TEST_F(OpenSizesTest, PicturesWithChannelsLastHaveTheirOpenSizeInTheMiddle) {
  onnx::ModelProto model = empty_model({-1, -1, -1, 3});
  auto& graph = *model.mutable_graph();
  add_integer_list(add_node(graph, "Transpose", {"x"}, {"t"}), "perm", {0, 3, 1, 2});
  add_windows(graph, "t", "y", 4, 4);
  EXPECT_EQ(output_shape(model, {2, 16, 24}), "2×3×4×6");
}

TEST_F(OpenSizesTest, AResizeTakesTheSizeOfAnotherValue) {
  // The upper path of a feature pyramid: half the size, and back to that of x.
  onnx::ModelProto model = empty_model({-1, 3, -1, -1});
  auto& graph = *model.mutable_graph();
  add_windows(graph, "x", "half", 2, 2);
  add_node(graph, "Shape", {"x"}, {"size"});
  add_attribute(add_node(graph, "Resize", {"half", "", "", "size"}, {"up"}), "mode", onnx::AttributeProto::STRING)
      .set_s("nearest");
  add_node(graph, "Add", {"up", "x"}, {"y"});
  const OnnxModel read_once = read(model), again = written_and_read(read_once);
  for (const OnnxModel* m : {&read_once, &again}) {
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{8, 8}, {10, 14}}) {
      const Tensor y = run(*m, {2, height, width});
      EXPECT_EQ(y.shape(), (Shape{2, 3, height, width}));
      EXPECT_EQ(y.data<float>().back(), 2);
    }
  }
}

}  // namespace
}  // namespace graft
