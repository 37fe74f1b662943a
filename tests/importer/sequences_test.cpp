#include "tests/importer/model_proto.h"

namespace graft {
namespace {

/// x is 2×6 ones.
class Sequences : public ModelProtoTest {
 protected:
  Sequences() : proto_(empty_model({2, 6})), graph_(*proto_.mutable_graph()) {
    add_number("zero", 0);
    add_number("two", 2);
    add_number("seven", 7);
    add_number("back", -1);
    add_number("four", 4);
  }
  void add_number(const char* name, int64_t value) {
    auto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_int64_data(value);
  }
  onnx::NodeProto& split(std::initializer_list<const char*> inputs) {
    auto& node = add_node(graph_, "SplitToSequence", inputs, {"parts"});
    add_attribute(node, "axis", onnx::AttributeProto::INT).set_i(1);
    return node;
  }

  onnx::ModelProto proto_;
  onnx::GraphProto& graph_;
};

TEST_F(Sequences, AreTakenApart) {
  split({"x", "four"});
  add_node(graph_, "SequenceAt", {"parts", "back"}, {"last"});
  add_node(graph_, "SequenceInsert", {"parts", "last", "zero"}, {"more"});
  add_attribute(add_node(graph_, "ConcatFromSequence", {"more"}, {"y"}), "axis", onnx::AttributeProto::INT).set_i(1);
  EXPECT_EQ(run(proto_, {2, 1, 1}).shape().str(), (Shape{2, 8}).str());
}

TEST_F(Sequences, CountTheirTensors) {
  split({"x", "four"});
  add_node(graph_, "SequenceLength", {"parts"}, {"y"});
  const Tensor y = run(proto_, {2, 1, 1});
  EXPECT_EQ(y.data<int64_t>()[0], 2);
}

TEST_F(Sequences, LoseADimensionWhereTheyAreToldTo) {
  add_attribute(split({"x"}), "keepdims", onnx::AttributeProto::INT).set_i(0);
  add_node(graph_, "SequenceErase", {"parts", "zero"}, {"fewer"});
  auto& joined = add_node(graph_, "ConcatFromSequence", {"fewer"}, {"y"});
  add_attribute(joined, "axis", onnx::AttributeProto::INT).set_i(0);
  add_attribute(joined, "new_axis", onnx::AttributeProto::INT).set_i(1);
  EXPECT_EQ(run(proto_, {2, 1, 1}).shape().str(), (Shape{5, 2}).str());
}

/// As torch.unbind is written; ONNX Runtime does the same.
TEST_F(Sequences, LoseADimensionOfPartsOfOne) {
  add_number("one", 1);
  add_attribute(split({"x", "one"}), "keepdims", onnx::AttributeProto::INT).set_i(0);
  add_node(graph_, "Identity", {"parts"}, {"same"});
  add_node(graph_, "SequenceAt", {"same", "two"}, {"y"});
  EXPECT_EQ(run(proto_, {2, 1, 1}).shape().str(), (Shape{2}).str());
}

TEST_F(Sequences, OfOpenExtentsHaveParts) {
  proto_.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(1)
      ->set_dim_param("open");
  split({"x", "two"});
  add_node(graph_, "SequenceAt", {"parts", "zero"}, {"y"});
  OpenDims dims{2, 1, 1};
  dims.shapes["x"] = {2, 5};
  EXPECT_EQ(run(proto_, dims).shape().str(), (Shape{2, 2}).str());
}

TEST_F(Sequences, SayWhatTheyDoNotHold) {
  split({"x", "two"});
  add_node(graph_, "SequenceAt", {"parts", "seven"}, {"y"});
  EXPECT_NE(error_of(proto_).find("position 7 lies outside a sequence of 3"), std::string::npos) << error_of(proto_);
}

TEST_F(Sequences, HaveTheExtentsOfTheWhole) {
  add_integers(graph_, "extents", {3, 5});
  split({"x", "extents"});
  add_node(graph_, "SequenceAt", {"parts", "zero"}, {"y"});
  EXPECT_THROW(run(proto_, {2, 1, 1}), Error);
}

TEST_F(Sequences, AreNoOutputs) {
  split({"x", "two"});
  graph_.mutable_output(0)->set_name("parts");
  EXPECT_NE(error_of(proto_).find("\"parts\" is a sequence of tensors"), std::string::npos) << error_of(proto_);
}

TEST_F(Sequences, AreNoTensors) {
  split({"x", "two"});
  add_node(graph_, "Relu", {"parts"}, {"y"});
  EXPECT_NE(error_of(proto_).find("a sequence of tensors"), std::string::npos) << error_of(proto_);
}

}  // namespace
}  // namespace graft
