#include "graft/evaluate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "importer/model.h"
#include "models/registry.h"
#include "runtime/core/error.h"
#include "tests/library/generated.h"

namespace graft {
namespace {

class Evaluating : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    draw_demo(folder_->path(), 3, 2, 4);
    data_ = new Dataset(read_dataset(folder_->path().string()));
  }
  static void TearDownTestSuite() {
    delete data_;
    delete folder_;
  }
  /// A network for the three classes, with weights as they are drawn.
  static Model drawn_model() {
    auto contents = std::make_shared<OnnxModel>();
    contents->graph = build_architecture("graft-small", {3, 7});
    contents->metadata.labels = data_->classes;
    contents->metadata.preprocessing = preprocessing_for(Model::load(bundled_path()));
    const std::string path = folder_->file("drawn.onnx");
    Model(contents).save(path);
    return Model::load(path);
  }
  static TemporaryFolder* folder_;
  static Dataset* data_;
};
TemporaryFolder* Evaluating::folder_ = nullptr;
Dataset* Evaluating::data_ = nullptr;

TEST_F(Evaluating, FiguresAreThoseOfACountByHand) {
  const Model model = drawn_model();
  const Evaluation e = evaluate(model, *data_, run_on_processor());
  ASSERT_TRUE(e.of_classes);
  EXPECT_EQ(e.task, Task::classes);
  EXPECT_EQ(e.pictures, 12);
  EXPECT_EQ(e.classes, data_->classes);
  const ClassFigures& f = *e.of_classes;
  Classifier classifier(model, run_on_processor());
  std::vector<int64_t> confusion(9, 0);
  double loss = 0;
  int right = 0;
  classifier.run(paths_of(data_->validation), [&](size_t i, std::span<const float> p, std::optional<double>) {
    const int truth = data_->validation[i].label;
    const auto best = std::max_element(p.begin(), p.end()) - p.begin();
    ++confusion[static_cast<size_t>(truth * 3 + best)];
    right += best == truth;
    loss -= std::log(static_cast<double>(p[static_cast<size_t>(truth)])) / 12;
  });
  EXPECT_EQ(f.confusion, confusion);
  EXPECT_NEAR(f.top1, right / 12.0, 1e-12);
  EXPECT_EQ(f.top5, 1);  // of three classes
  EXPECT_NEAR(f.loss, loss, 1e-4);
  EXPECT_LE(f.top1_interval.low, f.top1);
  EXPECT_GE(f.top1_interval.high, f.top1);
  EXPECT_LE(f.loss_at_temperature, f.loss + 1e-9);
  EXPECT_FALSE(f.roc_auc);
  for (size_t k = 0; k < 3; ++k) {
    EXPECT_EQ(f.per_class[k].pictures, 4);
    EXPECT_NEAR(f.per_class[k].recall, static_cast<double>(confusion[k * 4]) / 4, 1e-12);
  }
}

TEST_F(Evaluating, SeveralLabelsAndValues) {
  Model model = drawn_model();
  auto contents = std::make_shared<OnnxModel>(model.contents());
  std::vector<LabelledFile> files = data_->validation;
  for (LabelledFile& file : files) {
    file.target.assign(3, 0);
    file.target[static_cast<size_t>(file.label)] = 1;
    file.label = 0;
  }
  contents->metadata.task = "multi-label";
  const Evaluation labels = evaluate(Model(contents), files, data_->classes, run_on_processor());
  ASSERT_TRUE(labels.of_labels);
  EXPECT_GT(labels.of_labels->mean_average_precision, 0);
  EXPECT_LE(labels.of_labels->mean_average_precision, 1);
  auto measuring = std::make_shared<OnnxModel>(*contents);
  measuring->metadata.task = "regression";
  const Model values_model(measuring);
  const Evaluation values = evaluate(values_model, files, data_->classes, run_on_processor());
  ASSERT_TRUE(values.of_values);
  // By hand.
  Classifier classifier(values_model, run_on_processor());
  double error = 0;
  classifier.run(paths_of(files), [&](size_t i, std::span<const float> row, std::optional<double>) {
    for (size_t k = 0; k < 3; ++k) error += std::fabs(static_cast<double>(row[k] - files[i].target[k])) / 36;
  });
  EXPECT_NEAR(values.of_values->mean_absolute_error, error, 1e-4);
}

TEST_F(Evaluating, WhatCannotBeReadIsLeftOutAndNamed) {
  std::vector<LabelledFile> files = data_->validation;
  files[1].path = folder_->file("missing.png");
  const Evaluation e = evaluate(drawn_model(), files, data_->classes, run_on_processor());
  EXPECT_EQ(e.pictures, 11);
  ASSERT_EQ(e.skipped.size(), 1u);
  EXPECT_EQ(e.skipped[0].index, 1u);
}

TEST_F(Evaluating, AnotherModelIsRefused) {
  Model model = drawn_model();
  model.set_labels({"a", "b", "c"});
  EXPECT_THROW(evaluate(model, *data_, run_on_processor()), Error);
}

}  // namespace
}  // namespace graft
