#include "graft/classifier.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "apps/library/pipelines.h"
#include "finetune/metrics/metrics.h"
#include "importer/model.h"
#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/plan/row_plan.h"
#include "tests/library/generated.h"

namespace graft {
namespace {

class Classifying : public DrawnPictures<3> {};

/// Softmax of what a plan of one picture computes.
std::vector<float> scores_of_plan(const Model& model, const std::string& path) {
  const Preprocessing p = preprocessing_for(model);
  const Pipeline pipeline = evaluation_pipeline(p);
  RowPlan plan(model.contents().graph, {1, p.crop_height, p.crop_width}, cpu_backend(), 2);
  std::vector<float> pixels(static_cast<size_t>(pipeline.height() * pipeline.width() * pipeline.channels()));
  pipeline.normalise(pipeline.transform(decode_image(path), 0), pixels.data());
  plan.forward(pixels.data());
  std::vector<float> scores(plan.width(0));
  copy_to_plain(plan.view(0), scores.data());
  softmax_rows(scores, scores.size());
  return scores;
}

TEST_F(Classifying, ScoresAreThePlans) {
  const Model model = Model::load(bundled_path());
  Classifier classifier(model, run_on_processor());
  ASSERT_EQ(paths_->size(), 6u);
  std::vector<size_t> order;
  const size_t failed = classifier.run(*paths_, [&](size_t i, std::span<const float> scores, std::optional<double>) {
    order.push_back(i);
    const std::vector<float> expected = scores_of_plan(model, (*paths_)[i]);
    ASSERT_EQ(scores.size(), expected.size());
    for (size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(scores[k], expected[k], 1e-5f);
  });
  EXPECT_EQ(failed, 0u);
  EXPECT_EQ(order, (std::vector<size_t>{0, 1, 2, 3, 4, 5}));
}

TEST_F(Classifying, FilesInMemoryAreAnsweredAsOnDisk) {
  const Model model = Model::load(bundled_path());
  for (const char* views : {"", "ten-crop:72"}) {
    RunSettings settings = run_on_processor();
    settings.views = views;
    Classifier classifier(model, settings);
    const auto expected = classifier.classify(*paths_, 2);
    std::vector<std::vector<uint8_t>> files;
    std::vector<EncodedPictureView> pictures;
    for (const std::string& path : *paths_) files.push_back(read_picture_file(path));
    for (const auto& file : files) pictures.push_back({file, "a picture"});
    const auto encoded = classifier.classify(pictures, 2);
    std::vector<PreparedPicture> prepared;
    for (const EncodedPictureView& picture : pictures) prepared.push_back(classifier.prepare(picture));
    const auto in_two_steps = classifier.classify(prepared, 2);
    for (size_t i = 0; i < expected.size(); ++i)
      for (size_t k = 0; k < 2; ++k) {
        EXPECT_EQ(encoded[i].top[k].index, expected[i].top[k].index) << views;
        EXPECT_EQ(encoded[i].top[k].score, expected[i].top[k].score) << views;
        EXPECT_EQ(in_two_steps[i].top[k].score, expected[i].top[k].score) << views;
      }
    prepared[1].values.pop_back();
    EXPECT_THROW(classifier.classify(prepared, 2), Error);
    EXPECT_THROW(classifier.prepare({std::span<const uint8_t>(files[0]).first(20), "a stump"}), Error);
  }
}

TEST_F(Classifying, TopIsSortedAndNamed) {
  const Model model = Model::load(bundled_path());
  Classifier classifier(model, run_on_processor());
  const auto answers = classifier.classify(*paths_, 3);
  ASSERT_EQ(answers.size(), 6u);
  for (const Classification& answer : answers) {
    ASSERT_EQ(answer.top.size(), 3u);
    EXPECT_TRUE(answer.error.empty());
    EXPECT_GE(answer.top[0].score, answer.top[1].score);
    EXPECT_GE(answer.top[1].score, answer.top[2].score);
    EXPECT_EQ(answer.top[0].label, classifier.label(answer.top[0].index));
  }
}

TEST_F(Classifying, PixelsAndFilesAgree) {
  Classifier classifier(Model::load(bundled_path()), run_on_processor());
  std::vector<Image> images;
  std::vector<PictureView> views;
  for (const std::string& path : *paths_) images.push_back(decode_image(path));
  for (const Image& image : images) views.push_back({image.pixels.data(), image.height, image.width});
  const auto from_files = classifier.classify(*paths_, 5), from_pixels = classifier.classify(views, 5);
  ASSERT_EQ(from_pixels.size(), from_files.size());
  for (size_t i = 0; i < from_files.size(); ++i) {
    EXPECT_EQ(from_files[i].top[0].index, from_pixels[i].top[0].index);
    EXPECT_EQ(from_files[i].top[0].score, from_pixels[i].top[0].score);
  }
  // A single picture takes another plan.
  const auto single = classifier.classify(std::span(views).first(1), 1);
  EXPECT_EQ(single[0].top[0].index, from_files[0].top[0].index);
  EXPECT_NEAR(single[0].top[0].score, from_files[0].top[0].score, 1e-5f);
}

TEST_F(Classifying, KnownNumbersOfPicturesGiveTheSame) {
  const Model model = Model::load(bundled_path());
  RunSettings known = run_on_processor();
  known.pictures = 4;
  Classifier open(model, run_on_processor()), fixed(model, known);
  const auto a = open.classify(*paths_, 2), b = fixed.classify(*paths_, 2);
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].top[0].index, b[i].top[0].index);
    EXPECT_NEAR(a[i].top[0].score, b[i].top[0].score, 1e-5f);
  }
}

TEST_F(Classifying, WhatCannotBeReadIsNamed) {
  const std::string bad = folder_->file("bad.png");
  std::ofstream(bad) << "no picture";
  class Hearing final : public Listener {
   public:
    void skipped(const std::string& reason) override { reasons.push_back(reason); }
    std::vector<std::string> reasons;
  } listener;
  Classifier classifier(Model::load(bundled_path()), run_on_processor());
  const auto answers = classifier.classify({(*paths_)[0], bad}, 1, &listener);
  EXPECT_TRUE(answers[0].error.empty());
  EXPECT_FALSE(answers[1].error.empty());
  EXPECT_TRUE(answers[1].top.empty());
  ASSERT_EQ(listener.reasons.size(), 1u);
  EXPECT_NE(listener.reasons[0].find(bad), std::string::npos);
}

TEST_F(Classifying, TwoThreadsWithAClassifierEach) {
  const Model model = Model::load(bundled_path());
  Classifier alone(model, run_on_processor());
  const auto expected = alone.classify(*paths_, 1);
  std::vector<std::vector<Classification>> results(2);
  std::vector<std::thread> threads;
  for (auto& result : results)
    threads.emplace_back([&] {
      Classifier classifier(model, run_on_processor());
      for (int round = 0; round < 3; ++round) result = classifier.classify(*paths_, 1);
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) {
    ASSERT_EQ(result.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(result[i].top[0].index, expected[i].top[0].index);
      EXPECT_EQ(result[i].top[0].score, expected[i].top[0].score);
    }
  }
}

TEST(BestScores, ValuesKeepTheirOrder) {
  const std::vector<float> scores{1, 3, 2};
  const auto values = best_scores(scores, Task::regression, {}, 1);
  ASSERT_EQ(values.size(), 3u);
  EXPECT_EQ(values[1].score, 3);
  const auto best = best_scores(scores, Task::classes, {"a", "b"}, 2);
  EXPECT_EQ(best[0].label, "b");
  EXPECT_EQ(best[1].label, "2");  // beyond the names
}

}  // namespace
}  // namespace graft
