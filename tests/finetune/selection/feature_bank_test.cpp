#include "finetune/selection/feature_bank.h"

#include <gtest/gtest.h>

#include "finetune/training/feature_store.h"
#include "runtime/core/error.h"
#include "tests/finetune/selection/recipe_set.h"

namespace graft {
namespace {

const FeatureBank::Progress kSilent = [](int64_t, int64_t) {};

TEST(FeatureBank, ComputesEachRowOnce) {
  Set set = sides(20, 4);
  FeatureBank bank(set.problem(), Set::options(), test_backend());
  bank.want({0}, {0, 1, 2}, 0, 0, kSilent);
  EXPECT_EQ(set.reads(), 3);
  bank.want({0}, {1, 2, 3}, 0, 0, kSilent);
  EXPECT_EQ(set.reads(), 4);
  // Nothing is drawn for plain views: forms and seeds share them.
  bank.want({0, PictureForm::Variants::augmented_without_flips, 77}, {0, 3}, 0, 0, kSilent);
  EXPECT_EQ(set.reads(), 4);
  bank.want({0, PictureForm::Variants::augmented, 5}, {0, 3}, 1, 2, kSilent);
  EXPECT_EQ(set.reads(), 8);
  bank.want({0, PictureForm::Variants::augmented, 6}, {0}, 1, 1, kSilent);
  EXPECT_EQ(set.reads(), 9);
  EXPECT_TRUE(bank.has({0, PictureForm::Variants::augmented, 5}, {3, 2}));
  EXPECT_FALSE(bank.has({0, PictureForm::Variants::augmented, 6}, {3, 2}));
  EXPECT_GT(bank.seconds_per_picture(), 0);
}

TEST(FeatureBank, ViewsAreWhatTheTrunkMakes) {
  Set set = sides(20, 4);  // whose trunk hands its input on
  FeatureBank bank(set.problem(), Set::options(), test_backend());
  ASSERT_EQ(bank.width(HeadInput::features), kPixels);
  bank.want({0}, {2}, 0, 0, kSilent);
  bank.want({0}, {1, 5}, 0, 0, kSilent);
  const std::vector<float> view = bank.view({0}, {5, 2}, 0, HeadInput::features);
  ASSERT_EQ(view.size(), 2 * kPixels);
  const std::vector<int64_t> samples{5, 2};
  for (size_t i = 0; i < samples.size(); ++i) {
    std::vector<float> drawn(kPixels);
    set.draw(samples[i], {0}, 0, drawn.data());  // channels-last, which the trunk's flat values are not
    std::vector<float> row(view.begin() + static_cast<std::ptrdiff_t>(i * kPixels),
                           view.begin() + static_cast<std::ptrdiff_t>((i + 1) * kPixels));
    std::sort(drawn.begin(), drawn.end());
    std::sort(row.begin(), row.end());
    EXPECT_EQ(row, drawn);
  }
  EXPECT_THROW(bank.view({0}, {6}, 0, HeadInput::features), Error);
}

TEST(FeatureBank, WhatCannotBeReadIsLeftOutForGood) {
  Set set = sides(20, 4);
  set.unreadable = 1;
  FeatureBank bank(set.problem(), Set::options(), test_backend());
  bank.want({0}, {0, 1, 2}, 0, 0, kSilent);
  EXPECT_EQ(bank.readable({0}, {0, 1, 2}, 0, 0), (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(bank.failures().at(1), "picture: is damaged");
  const int64_t reads = set.reads();
  bank.want({0}, {0, 1, 2}, 0, 0, kSilent);
  EXPECT_EQ(set.reads(), reads);
}

TEST(FeatureBank, KeepsABoundaryOnTheWay) {
  Set set = equal_halves(20, 4);
  const RecipeProblem problem = set.problem();
  FeatureBank bank(problem, Set::options(), test_backend());
  EXPECT_EQ(bank.width(HeadInput::features), 3u);
  // Whoever trains the hidden layer reads the flat pictures.
  bank.keep_boundary("last:1", HeadInput::features, problem.network("last:1", HeadInput::features).graph, 0, 24);
  bank.want({0}, {0, 1, 2, 3}, 0, 0, kSilent);
  const FeatureRows rows = bank.boundary("last:1", HeadInput::features, 0, {1, 3});
  ASSERT_TRUE(rows.cache);
  ASSERT_EQ(rows.outputs.size(), 1u);
  EXPECT_EQ(rows.width(0), kPixels);
  EXPECT_FALSE(bank.boundary("last:1", HeadInput::features, 1, {1, 3}).cache);
  EXPECT_FALSE(bank.boundary("last:1", HeadInput::features, 0, {1, 4}).cache);
  EXPECT_FALSE(bank.boundary("last:2", HeadInput::features, 0, {1}).cache);
  // The hidden layer on these rows makes what the head reads.
  const Graph graph = problem.network("all", HeadInput::features).graph;
  const auto weight = graph.value(graph.find("hidden.weight")).constant->data<float>();
  std::vector<float> flat(kPixels);
  rows.copy(0, {3, 0}, flat.data());
  const std::vector<float> features = bank.view({0}, {3}, 0, HeadInput::features);
  for (size_t k = 0; k < 3; ++k) {
    double sum = 0;
    for (size_t p = 0; p < kPixels; ++p)
      sum += static_cast<double>(weight[k * kPixels + p]) * static_cast<double>(flat[p]);
    EXPECT_NEAR(static_cast<double>(features[k]), std::max(0.0, sum), 1e-5);
  }
}

TEST(FeatureBank, ABoundaryThatTakesTooMuchIsNotKept) {
  Set set = equal_halves(20, 4);
  const RecipeProblem problem = set.problem();
  TrainOptions options = Set::options();
  options.cache.limit_bytes = 2 * 24 * kPixels * sizeof(float) - 1;
  FeatureBank bank(problem, options, test_backend());
  bank.keep_boundary("last:1", HeadInput::features, problem.network("last:1", HeadInput::features).graph, 0, 24);
  bank.want({0}, {0, 1}, 0, 0, kSilent);
  EXPECT_FALSE(bank.boundary("last:1", HeadInput::features, 0, {0, 1}).cache);
}

}  // namespace
}  // namespace graft
