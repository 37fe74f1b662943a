#include "tests/importer/model_proto.h"

namespace graft {
namespace {

/// x: 1×2 ones.
class LinearModel : public ModelProtoTest {
 protected:
  onnx::NodeProto& add(const char* type, std::initializer_list<const char*> outputs,
                       std::initializer_list<float> coefficients, std::initializer_list<float> intercepts) {
    auto& node = add_node(*proto_.mutable_graph(), type, {"x"}, outputs);
    node.set_domain("ai.onnx.ml");
    auto& weights = add_attribute(node, "coefficients", onnx::AttributeProto::FLOATS);
    for (float v : coefficients) weights.add_floats(v);
    auto& bias = add_attribute(node, "intercepts", onnx::AttributeProto::FLOATS);
    for (float v : intercepts) bias.add_floats(v);
    return node;
  }

  onnx::ModelProto proto_ = empty_model({1, 2});
};

TEST_F(LinearModel, ScoresEachClass) {
  add_integer_list(add("LinearClassifier", {"label", "y"}, {1, 2, 3, 4, -5, 6}, {0.5f, 0, 0}), "classlabels_ints",
                   {4, 5, 9});
  const Tensor y = run(proto_, {1, 1, 1});
  EXPECT_EQ(std::vector<float>(y.data<float>().begin(), y.data<float>().end()), std::vector<float>({3.5f, 7, 1}));
  proto_.mutable_graph()->mutable_output(0)->set_name("label");
  EXPECT_EQ(run(proto_, {1, 1, 1}).data<int64_t>()[0], 5);
}

/// As ONNX Runtime has it.
TEST_F(LinearModel, MakesTwoScoresOfOne) {
  add_integer_list(add("LinearClassifier", {"label", "y"}, {1, -0.75f}, {0}), "classlabels_ints", {4, 5});
  const Tensor y = run(proto_, {1, 1, 1});
  EXPECT_EQ(std::vector<float>(y.data<float>().begin(), y.data<float>().end()), std::vector<float>({0.75f, 0.25f}));
  proto_.mutable_graph()->mutable_output(0)->set_name("label");
  EXPECT_EQ(run(proto_, {1, 1, 1}).data<int64_t>()[0], 5);  // the score is positive
}

TEST_F(LinearModel, RegressesTargets) {
  add_attribute(add("LinearRegressor", {"y"}, {1, 2, 3, 4}, {0, 1}), "targets", onnx::AttributeProto::INT).set_i(2);
  const Tensor y = run(proto_, {1, 1, 1});
  EXPECT_EQ(std::vector<float>(y.data<float>().begin(), y.data<float>().end()), std::vector<float>({3, 8}));
}

TEST_F(LinearModel, RefusesWhatDoesNotFit) {
  add_integer_list(add("LinearClassifier", {"label", "y"}, {1, 2, 3}, {0, 0}), "classlabels_ints", {4, 5});
  EXPECT_NE(error_of(proto_).find("3 coefficients"), std::string::npos) << error_of(proto_);
}

}  // namespace
}  // namespace graft
