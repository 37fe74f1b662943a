#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "importer/reader.h"
#include "importer/weights.h"
#include "importer/writer.h"
#include "runtime/core/error.h"
#include "runtime/ops/gemm.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

/// What fuzzing once broke on ends in a model or in one Error.
TEST(Damaged, FilesThatFuzzingFoundAreRead) {
  const fs::path folder = fs::path(__FILE__).parent_path().parent_path() / "fixtures" / "fuzz" / "importer";
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().filename().string());
    ++files;
    try {
      read_model(entry.path().string());
    } catch (const Error& e) {
      const std::string text = e.what();
      EXPECT_EQ(text.find(entry.path().string() + ": "), 0u) << text;
      EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    }
  }
  EXPECT_GT(files, 0);
}

/// A dense layer whose weight is large enough to stay in the file.
OnnxModel dense_model() {
  OnnxModel model;
  const ValueId x = model.graph.add_input("x", DType::f32, {1, 64});
  Tensor w(DType::f32, {64, 48});
  for (size_t i = 0; i < w.data<float>().size(); ++i) w.data<float>()[i] = static_cast<float>(i) * 0.25f;
  model.graph.outputs = {
      model.graph.add("dense", std::make_shared<MatMul>(), {x, model.graph.add_constant("w", std::move(w))})};
  return model;
}

std::string bytes_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class WeightsTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = (fs::temp_directory_path() /
             ("graft_weights_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + ".onnx"))
                .string();
    write_model(dense_model(), path_);
  }
  void TearDown() override { fs::remove(path_); }
  std::string path_;
};

TEST_F(WeightsTest, LargeTensorsStayBehindAndAreReadBitForBit) {
  Weights weights;
  const auto message = weights.take_from(std::make_shared<const MappedFile>(path_));
  ASSERT_TRUE(message.has_value());
  EXPECT_LT(message->size(), 1000u);  // of 12 KiB
  const OnnxModel model = read_model(path_);
  const auto w = model.graph.value(model.graph.find("w")).constant;
  ASSERT_NE(w, nullptr);
  for (size_t i = 0; i < w->data<float>().size(); ++i) ASSERT_EQ(w->data<float>()[i], static_cast<float>(i) * 0.25f);
}

TEST_F(WeightsTest, ATruncatedFileIsNoModel) {
  const std::string whole = bytes_of(path_);
  for (const size_t kept : {whole.size() / 2, whole.size() - 1, size_t{3}}) {
    std::ofstream(path_, std::ios::binary) << whole.substr(0, kept);
    EXPECT_THROW(read_model(path_), Error) << kept;
  }
}

TEST_F(WeightsTest, ARangeThatIsNotThereIsRefused) {
  Weights weights;
  weights.take_from(std::make_shared<const MappedFile>(path_));
  float some[4];
  EXPECT_THROW(weights.read_own(7, some, sizeof some), Error);  // no such range
  EXPECT_THROW(weights.read_own(0, some, sizeof some), Error);  // of another length
  EXPECT_THROW(weights.read_beside("../secret", 0, some, sizeof some), Error);
  EXPECT_THROW(weights.read_beside("/etc/passwd", 0, some, sizeof some), Error);
}

}  // namespace
}  // namespace graft
