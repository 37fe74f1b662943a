#include "finetune/selection/recipe_search.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/core/error.h"
#include "tests/finetune/selection/recipe_set.h"

namespace graft {
namespace {

size_t count_chosen(const RecipeSearch& report) {
  return static_cast<size_t>(std::count_if(report.trials.begin(), report.trials.end(),
                                           [](const RecipeTrial& t) { return t.verdict == "chosen"; }));
}

const RecipeTrial* find_trial(const RecipeSearch& report, const std::string& beginning) {
  for (const RecipeTrial& t : report.trials)
    if (t.what.starts_with(beginning)) return &t;
  return nullptr;
}

TEST(RecipeSearch, PicturesThatValidateChooseNothing) {
  Set honest = sides(60, 20), poisoned = sides(60, 20);
  for (size_t i = 60; i < 80; ++i) poisoned.labels[i] = 1 - poisoned.labels[i];
  const RecipeChoice a = honest.choose(), b = poisoned.choose();
  EXPECT_EQ(a.head.weight, b.head.weight);
  EXPECT_EQ(a.report.freeze, b.report.freeze);
  ASSERT_EQ(a.report.trials.size(), b.report.trials.size());
  for (size_t i = 0; i < a.report.trials.size(); ++i) {
    EXPECT_EQ(a.report.trials[i].loss, b.report.trials[i].loss);
    EXPECT_EQ(a.report.trials[i].verdict, b.report.trials[i].verdict);
  }
  EXPECT_EQ(count_chosen(a.report), 1u);
}

TEST(RecipeSearch, MirroredViewsThatHurtAreLeftOut) {
  Set set = sides(80, 8);
  const RecipeChoice choice = set.choose();
  EXPECT_FALSE(choice.report.flips);
  EXPECT_EQ(choice.form.variants, PictureForm::Variants::augmented_without_flips);
  ASSERT_TRUE(find_trial(choice.report, "mirrored views"));
  EXPECT_TRUE(find_trial(choice.report, "mirrored views")->verdict.starts_with("they hurt"));

  Set symmetric = sides(80, 8);
  symmetric.draw = [](int64_t index, const PictureForm&, uint64_t variant, float* to) {
    Random random = noise(index, variant);
    for (size_t p = 0; p < kPixels; ++p) to[p] = random.normal() + (index % 2 == 1 && p % 3 == 0 ? 0.9f : 0.0f);
  };
  EXPECT_TRUE(symmetric.choose().report.flips);
}

TEST(RecipeSearch, APreprocessingThatFitsBetterTakesTheGuessesPlace) {
  Set set = sides(80, 8);
  const auto draw = set.draw;
  set.draw = [draw](int64_t index, const PictureForm& form, uint64_t variant, float* to) {
    draw(index, form, variant, to);
    Random random(static_cast<uint64_t>(index) + 99);
    for (size_t p = 0; form.preprocessing != 1 && p < kPixels; ++p) to[p] += 3 * random.normal();
  };
  set.preprocessings = {"imagenet", "tf", "caffe"};
  const RecipeChoice choice = set.choose();
  EXPECT_EQ(choice.form.preprocessing, 1u);
  EXPECT_EQ(choice.report.preprocessing, "tf");
  EXPECT_EQ(find_trial(choice.report, "preprocessing tf")->verdict, "taken");
}

TEST(RecipeSearch, TooFewPicturesLeaveThePreprocessingAGuess) {
  Set set = sides(12, 8);
  set.preprocessings = {"imagenet", "tf", "caffe"};
  std::vector<std::string> notes;
  TrainListener listener;
  listener.note = [&](const std::string& text) { notes.push_back(text); };
  const RecipeChoice choice = set.choose(listener);
  EXPECT_EQ(choice.report.preprocessing, "imagenet");
  EXPECT_FALSE(find_trial(choice.report, "preprocessing tf"));
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [](const auto& n) {
    return n.find("12 training pictures are too few to find out: imagenet is a guess") != std::string::npos;
  }));
}

TEST(RecipeSearch, DepthIsTrainedWhereItGains) {
  Set set = equal_halves(600, 60);
  std::vector<std::string> notes;
  TrainListener listener;
  listener.note = [&](const std::string& text) { notes.push_back(text); };
  const RecipeChoice choice = set.choose(listener);
  const RecipeTrial* head = find_trial(choice.report, "head on plain views");
  ASSERT_TRUE(head);
  ASSERT_TRUE(find_trial(choice.report, "all layers"));
  EXPECT_LT(head->accuracy, 0.9);
  EXPECT_EQ(choice.report.freeze, "none");
  EXPECT_GT(choice.report.epochs, 0);
  EXPECT_TRUE(choice.training.keep_last);
  EXPECT_EQ(count_chosen(choice.report), 1u);
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [&](const auto& n) { return n == choice.report.conclusion; }));
}

TEST(RecipeSearch, WhatCannotBeReadIsToldAndLeftOut) {
  Set set = sides(60, 8);
  set.unreadable = 3;
  const RecipeChoice choice = set.choose();
  EXPECT_EQ(choice.skipped, std::vector<std::string>{"picture: is damaged"});
  EXPECT_EQ(find_trial(choice.report, "head on plain views")->pictures, 59);
}

TEST(RecipeSearch, AClassOfOnePictureTrainsAndIsToldOf) {
  Set set = sides(41, 8);
  set.classes = 3;
  set.labels[40] = 2;
  std::vector<std::string> notes;
  TrainListener listener;
  listener.note = [&](const std::string& text) { notes.push_back(text); };
  const RecipeChoice choice = set.choose(listener);
  EXPECT_EQ(find_trial(choice.report, "head on plain views")->pictures, 40);
  EXPECT_EQ(choice.head.bias.size(), 3u);
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [](const auto& n) { return n.starts_with("1 class has"); }));
  Set none = sides(2, 2);
  EXPECT_THROW(none.choose(), Error);
}

TEST(RecipeSearch, ABudgetThatIsGoneLeavesTheHead) {
  Set set = sides(60, 8);
  set.budget = 1e-9;
  const RecipeChoice choice = set.choose();
  EXPECT_EQ(choice.report.freeze, "all");
  EXPECT_EQ(choice.report.trials.size(), 1u);
  EXPECT_EQ(choice.report.trials[0].verdict, "chosen");
}

}  // namespace
}  // namespace graft
