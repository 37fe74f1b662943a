// Each documented code once, and the settings that errors are about.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <stdexcept>

#include "graft/error.h"
#include "graft/evaluate.h"
#include "graft/feature_extractor.h"
#include "graft/finetune.h"
#include "importer/model.h"
#include "tests/library/generated.h"

namespace graft {
namespace {

/// The Error of `body`; fails where there is none.
Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("--"), std::string::npos) << "names an option: " << error.what();
    return error;
  }
  ADD_FAILURE() << "no Error";
  return Error("none", {}, ErrorCode::internal);
}

class Errors : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    draw_demo(folder_->path() / "data", 2, 3, 2);
    data_ = new Dataset(read_dataset(folder_->file("data")));
  }
  static void TearDownTestSuite() {
    delete data_;
    delete folder_;
  }
  static Error finetuning(const std::function<void(FinetuneSettings&)>& change, Listener* listener = nullptr) {
    FinetuneSettings settings;
    settings.compute = on_processor();
    settings.epochs = 1;
    change(settings);
    return error_of([&] { finetune(Model::load(bundled_path()), *data_, settings, listener); });
  }
  static TemporaryFolder* folder_;
  static Dataset* data_;
};
TemporaryFolder* Errors::folder_ = nullptr;
Dataset* Errors::data_ = nullptr;

TEST_F(Errors, InvalidArgument) {
  const Error epochs = finetuning([](FinetuneSettings& s) { s.epochs = 0; });
  EXPECT_EQ(epochs.code(), ErrorCode::invalid_argument);
  EXPECT_EQ(epochs.setting(), "epochs");
  EXPECT_EQ(finetuning([](FinetuneSettings& s) { s.mixup = 11; }).setting(), "mixup");
  EXPECT_EQ(finetuning([](FinetuneSettings& s) { s.class_weights = {1, -1}; }).setting(), "class-weights");
  EXPECT_EQ(finetuning([](FinetuneSettings& s) { s.compute.batch = -1; }).setting(), "batch");
  EXPECT_EQ(finetuning([](FinetuneSettings& s) { s.head.values["hidden"] = "8"; }).setting(), "hidden");
  EXPECT_EQ(finetuning([](FinetuneSettings& s) { s.resume = true; }).setting(), "resume");
  EXPECT_EQ(finetuning([](FinetuneSettings& s) {
              s.unfreeze_every = 1;
              s.freeze = "none";
            }).setting(),
            "unfreeze");
  const Error crop = error_of([] {
    PreprocessingSettings settings;
    settings.crop = 100;
    preprocessing_for(Model::load(bundled_path()), settings);
  });
  EXPECT_EQ(crop.setting(), "crop");
  EXPECT_NE(std::string(crop.what()).find("crop 100: "), std::string::npos);
}

TEST_F(Errors, NotFound) {
  EXPECT_EQ(error_of([] { Model::load("/nowhere/model.onnx"); }).code(), ErrorCode::not_found);
  EXPECT_EQ(error_of([] { read_dataset("/nowhere"); }).code(), ErrorCode::not_found);
  const Error optimizer = finetuning([](FinetuneSettings& s) { s.optimizer.name = "nonsense"; });
  EXPECT_EQ(optimizer.code(), ErrorCode::not_found);
  EXPECT_EQ(optimizer.setting(), "optimizer");
  const Error device = error_of([] { device_info({"nonsense"}); });
  EXPECT_EQ(device.code(), ErrorCode::not_found);
  EXPECT_EQ(device.setting(), "device");
  EXPECT_EQ(error_of([] { device_info({"cpu", "fp16"}); }).setting(), "dtype");
  EXPECT_EQ(error_of([] { FeatureExtractor(Model::load(bundled_path()), "nonsense", run_on_processor()); }).code(),
            ErrorCode::not_found);
}

TEST_F(Errors, CorruptFile) {
  const std::string path = folder_->file("damaged.onnx");
  std::ofstream(path) << "no network at all";
  const Error error = error_of([&] { Model::load(path); });
  EXPECT_EQ(error.code(), ErrorCode::corrupt_file);
  EXPECT_NE(std::string(error.what()).find(path), std::string::npos);
}

TEST_F(Errors, BadData) {
  std::filesystem::create_directories(folder_->path() / "empty");
  EXPECT_EQ(error_of([&] { read_dataset(folder_->file("empty")); }).code(), ErrorCode::bad_data);
  Dataset wrong = *data_;
  wrong.train[0].label = 7;
  EXPECT_EQ(error_of([&] { finetune(Model::load(bundled_path()), wrong); }).code(), ErrorCode::bad_data);
  EXPECT_EQ(error_of([&] { evaluate(Model::load(bundled_path()), std::vector<LabelledFile>{}, {}); }).code(),
            ErrorCode::bad_data);
}

TEST_F(Errors, Unsupported) {
  auto contents = std::make_shared<OnnxModel>();
  contents->graph.outputs = {contents->graph.add_input("x", DType::f32, {1, 3})};
  const Model model(contents);
  EXPECT_EQ(error_of([&] { model.input_size(); }).code(), ErrorCode::unsupported);
  EXPECT_EQ(error_of([&] { Classifier(model, run_on_processor()); }).code(), ErrorCode::unsupported);
  EXPECT_EQ(error_of([] { check_features_path("features.txt"); }).code(), ErrorCode::unsupported);
}

TEST_F(Errors, OutOfMemory) {
  const Error error = finetuning([](FinetuneSettings& s) {
    s.freeze = "none";
    s.memory_bytes = 1000;
  });
  EXPECT_EQ(error.code(), ErrorCode::out_of_memory);
}

TEST_F(Errors, Io) {
  EXPECT_EQ(error_of([] { Model::load(bundled_path()).save("/nowhere/model.onnx"); }).code(), ErrorCode::io);
}

TEST_F(Errors, Internal) {
  class Failing final : public Listener {
   public:
    void epoch(const EpochReport&) override { throw std::runtime_error("the listener failed"); }
  } listener;
  const Error error = finetuning([](FinetuneSettings&) {}, &listener);
  EXPECT_EQ(error.code(), ErrorCode::internal);
  EXPECT_STREQ(error.what(), "the listener failed");
}

TEST(ErrorTexts, ProgramsWriteSettingsTheirWay) {
  const Error error = Error("is too much", "leave " + mention("crop") + " out").about("batch", "9");
  EXPECT_STREQ(error.what(), "batch 9: is too much: leave crop out");
  EXPECT_EQ(error.text([](std::string_view setting) { return "--" + std::string(setting); }),
            "--batch 9: is too much: leave --crop out");
}

}  // namespace
}  // namespace graft
