#include "tests/importer/model_proto.h"

namespace graft {
namespace {

/// x: 1×32 ones; two columns of 32 four-bit numbers, 0 to 15 twice, times 0.5 and 2.
class LowBitProduct : public ModelProtoTest {
 protected:
  LowBitProduct() : proto_(empty_model({1, 32})) {
    auto& graph = *proto_.mutable_graph();
    auto& packed = *graph.add_initializer();
    packed.set_name("packed");
    packed.set_data_type(onnx::TensorProto::UINT8);
    for (int64_t d : {2, 1, 16}) packed.add_dims(d);
    std::string bytes;
    for (int column = 0; column < 2; ++column)
      for (int i = 0; i < 16; ++i) bytes += static_cast<char>((2 * i % 16) | (2 * i + 1) % 16 << 4);
    packed.set_raw_data(bytes);
    auto& scales = *graph.add_initializer();
    scales.set_name("scales");
    scales.set_data_type(onnx::TensorProto::FLOAT);
    scales.add_dims(2);
    for (float v : {0.5f, 2.0f}) scales.add_float_data(v);
    node_ = &add_node(graph, "MatMulNBits", {"x", "packed", "scales"}, {"y"});
    node_->set_domain("com.microsoft");
    set("K", 32);
    set("N", 2);
    set("bits", 4);
    set("block_size", 32);
  }
  void set(const char* name, int64_t value) {
    for (auto& a : *node_->mutable_attribute())
      if (a.name() == name) return a.set_i(value);
    add_attribute(*node_, name, onnx::AttributeProto::INT).set_i(value);
  }

  onnx::ModelProto proto_;
  onnx::NodeProto* node_;
};

TEST_F(LowBitProduct, IsThatOfDequantisedWeights) {
  const Tensor y = run(proto_, {1, 1, 1});
  // Twice 0 + … + 15 = 120, less 32 zero points of 8.
  EXPECT_EQ(y.data<float>()[0], 0.5f * (240 - 256));
  EXPECT_EQ(y.data<float>()[1], 2.0f * (240 - 256));
}

TEST_F(LowBitProduct, RefusesWhatDoesNotFit) {
  for (const int64_t block : {int64_t{0}, int64_t{48}, int64_t{8}, int64_t{1} << 62}) {
    set("block_size", block);
    EXPECT_NE(error_of(proto_), "") << block;
  }
  set("block_size", 32);
  set("bits", 3);
  EXPECT_NE(error_of(proto_), "");
  set("bits", 4);
  set("K", int64_t{1} << 40);
  EXPECT_NE(error_of(proto_), "");
  set("K", 64);
  EXPECT_NE(error_of(proto_), "");
}

}  // namespace
}  // namespace graft
