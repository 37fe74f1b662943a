#include "importer/reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "importer/metadata.h"
#include "importer/preprocessing_json.h"
#include "importer/writer.h"
#include "onnx.pb.h"
#include "runtime/core/error.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/unary.h"
#include "runtime/plan/plan.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

class ReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("graft_reader_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string error_of(const std::string& name) const {
    try {
      read_model(path(name));
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  void write_text(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  OnnxModel small_model() const {
    OnnxModel model;
    const ValueId x = model.graph.add_input("x", DType::f32, {1, 3, 4, 4});
    auto op = std::make_shared<Convolution>();
    op->window.kernel = {3, 3};
    const ValueId w = model.graph.add_constant("w", Tensor::zeros(DType::f32, {2, 3, 3, 3}));
    model.graph.outputs = {
        model.graph.add("clip", make_unary(Unary::Kind::clip, 0, 6), {model.graph.add("conv", op, {x, w})})};
    model.graph.value(x).shape[0] = kOpenDim;
    return model;
  }
  fs::path folder_;
};

TEST_F(ReaderTest, SaysWhatIsMissing) { EXPECT_NE(error_of("none.onnx").find("cannot be opened"), std::string::npos); }

TEST_F(ReaderTest, SaysWhatIsEmpty) {
  write_text("empty.onnx", "");
  EXPECT_NE(error_of("empty.onnx").find("is empty"), std::string::npos);
}

TEST_F(ReaderTest, SaysWhatIsNoModel) {
  write_text("text.onnx", "hello, this is no model");
  EXPECT_NE(error_of("text.onnx").find("is not an ONNX model"), std::string::npos);
}

TEST_F(ReaderTest, SaysWhatIsTruncatedAtAnyLength) {
  write_model(small_model(), path("whole.onnx"));
  const auto size = fs::file_size(path("whole.onnx"));
  for (uintmax_t keep = 1; keep < size; keep += 7) {
    fs::copy_file(path("whole.onnx"), path("part.onnx"), fs::copy_options::overwrite_existing);
    fs::resize_file(path("part.onnx"), keep);
    const std::string text = error_of("part.onnx");
    EXPECT_EQ(text.find(path("part.onnx") + ": "), 0u) << keep << " of " << size << " bytes: " << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
}

TEST_F(ReaderTest, RoundTripKeepsGraphLabelsAndPreprocessing) {
  OnnxModel model = small_model();
  model.metadata.labels = {"ants", "bees, \"honey\"", "Bär"};
  model.metadata.preprocessing = named_preprocessing("tf", {3, 32, 48});
  model.metadata.other["note"] = "kept";
  write_model(model, path("m.onnx"));
  const OnnxModel back = read_model(path("m.onnx"));
  EXPECT_EQ(back.metadata.labels, model.metadata.labels);
  EXPECT_EQ(back.metadata.other.at("note"), "kept");
  EXPECT_EQ(to_json(*back.metadata.preprocessing), to_json(*model.metadata.preprocessing));
  ASSERT_EQ(back.graph.nodes.size(), 2u);
  EXPECT_EQ(back.graph.nodes[1].op->type(), "Clip");
  EXPECT_EQ(back.picture().height, 4);
  EXPECT_TRUE(back.graph.value(back.graph.inputs[0]).shape.is_open());
}

/// ONNX's own tools write DEFAULT outright where external data was read in.
TEST_F(ReaderTest, TakesLargeTensorsThatSayWhereTheyLie) {
  OnnxModel model = small_model();
  Tensor& w = *model.graph.value(model.graph.find("w")).constant;
  w = Tensor::zeros(DType::f32, {64, 3, 3, 3});
  w.data<float>()[5] = 7;
  model.graph.value(model.graph.find("w")).shape = w.shape();
  write_model(model, path("m.onnx"));
  onnx::ModelProto proto;
  std::ifstream in(path("m.onnx"), std::ios::binary);
  ASSERT_TRUE(proto.ParseFromIstream(&in));
  for (auto& tensor : *proto.mutable_graph()->mutable_initializer())
    tensor.set_data_location(onnx::TensorProto::DEFAULT);
  std::ofstream out(path("said.onnx"), std::ios::binary);
  ASSERT_TRUE(proto.SerializeToOstream(&out));
  out.close();
  const OnnxModel back = read_model(path("said.onnx"));
  EXPECT_EQ(back.graph.value(back.graph.find("w")).constant->data<float>()[5], 7);
}

TEST_F(ReaderTest, RefusesHostilePreprocessing) {
  for (const char* text :
       {"{", "{}", R"({"resize":-5,"crop":[1,1],"colour":"rgb","scale":1,"mean":[0,0,0],"std":[1,1,1]})",
        R"({"resize":5,"crop":[1,1],"colour":"rgb","scale":1,"mean":[0,0,0],"std":[0,1,1]})"}) {
    EXPECT_THROW(preprocessing_from_json(text), Error) << text;
  }
}

TEST_F(ReaderTest, WritingToAMissingFolderLeavesNothing) {
  EXPECT_THROW(write_model(small_model(), path("no/such/folder/m.onnx")), Error);
  EXPECT_TRUE(fs::is_empty(folder_));
}

/// Classes as others write them: ultralytics' Python dictionary, a JSON list.
TEST(Metadata, ForeignNamesOfClasses) {
  using Names = std::vector<std::string>;
  const auto labels = [](const char* key, const std::string& value) {
    return metadata_from_properties({{key, value}}).labels;
  };
  EXPECT_EQ(labels("names", "{0: 'ant', 1: \"bee's\", 2: 'cat, big'}"), (Names{"ant", "bee's", "cat, big"}));
  EXPECT_EQ(labels("names", "{0:'ant',1:'bee'}"), (Names{"ant", "bee"}));
  EXPECT_EQ(labels("names", R"({0: 'jack-o\'-lantern'})"), Names{"jack-o'-lantern"});
  EXPECT_TRUE(labels("names", "{0: '" + std::string(1 << 22, 'a')).empty());
  EXPECT_EQ(labels("classes", R"(["ant", "bee"])"), (Names{"ant", "bee"}));
  for (const char* other :
       {"", "{", "{1: 'ant'}", "{0: 'ant', 2: 'bee'}", "{0: 'ant'", "[1, 2]", "ant, bee", "{0: ant}"})
    EXPECT_TRUE(labels("names", other).empty()) << other;
  EXPECT_EQ(metadata_from_properties({{"graft.labels", R"(["own"])"}, {"names", "{0: 'ant'}"}}).labels, Names{"own"});
  EXPECT_EQ(metadata_from_properties({{"names", "{0: 'ant'}"}}).other.count("names"), 1u);
}

}  // namespace
}  // namespace graft
