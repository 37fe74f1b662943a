#include "finetune/selection/recipe_runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "runtime/core/error.h"
#include "tests/finetune/selection/recipe_set.h"

namespace graft {
namespace {

TEST(RecipeRuns, AHeadIsJudgedByWhatItHasNotSeen) {
  Set set = sides(120, 40);
  const RecipeProblem problem = set.problem();
  FeatureBank bank(problem, Set::options(), test_backend());
  const HeldOut judged = run_recipe(problem, bank, Set::options(), {}, test_backend());
  EXPECT_EQ(judged.losses.size(), 40u);
  EXPECT_GT(judged.accuracy(), 0.8);
  // Labels that are wrong there make it wrong there.
  Set poisoned = sides(120, 40);
  for (size_t i = 120; i < 160; ++i) poisoned.labels[i] = 1 - poisoned.labels[i];
  const RecipeProblem other = poisoned.problem();
  FeatureBank its(other, Set::options(), test_backend());
  EXPECT_DOUBLE_EQ(run_recipe(other, its, Set::options(), {}, test_backend()).accuracy(), 1 - judged.accuracy());
}

TEST(RecipeRuns, ADepthIsTrainedAndJudged) {
  Set set = equal_halves(600, 60);
  const RecipeProblem problem = set.problem();
  FeatureBank bank(problem, Set::options(), test_backend());
  const RecipeChoice choice = choose_recipe(problem, bank, Set::options(), {}, test_backend());
  ASSERT_GT(choice.report.epochs, 0);
  const HeldOut judged = run_recipe(problem, bank, Set::options(), {}, test_backend());
  EXPECT_EQ(judged.losses.size(), 60u);
  EXPECT_GT(judged.accuracy(), 0.7);  // a head alone: the half
}

TEST(RecipeRuns, FoldsAreOfAllPicturesAndReadThemOnce) {
  Set set = sides(60, 30);
  set.preprocessings = {"imagenet", "tf"};
  const RecipeProblem problem = set.problem();
  FeatureBank bank(problem, Set::options(), test_backend());
  std::vector<std::string> notes;
  TrainListener listener;
  listener.note = [&](const std::string& text) { notes.push_back(text); };
  const FoldsResult folds = cross_validate_recipe(problem, bank, 3, Set::options(), listener, test_backend());
  ASSERT_EQ(folds.scores.size(), 3u);
  EXPECT_EQ(notes.size(), 3u);
  EXPECT_NEAR(folds.mean, (folds.scores[0] + folds.scores[1] + folds.scores[2]) / 3, 1e-12);
  EXPECT_GT(folds.mean, 0.8);
  // 90 plain views in two preprocessings, mirrored ones in one or both, and two augmented views of each.
  EXPECT_LE(set.reads(), 90 * (2 + 2 + 2 * 2 * 2));
  const int64_t reads = set.reads();
  cross_validate_recipe(problem, bank, 3, Set::options(), {}, test_backend());
  EXPECT_EQ(set.reads(), reads);
  EXPECT_THROW(cross_validate_recipe(problem, bank, 91, Set::options(), {}, test_backend()), Error);
}

TEST(RecipeRuns, SeedsThatFollowAreRun) {
  Set set = sides(60, 30);
  const RecipeProblem problem = set.problem();
  FeatureBank bank(problem, Set::options(), test_backend());
  const SeedsResult seeds = repeat_recipe(problem, bank, 2, Set::options(), {}, test_backend());
  ASSERT_EQ(seeds.scores.size(), 2u);
  // Each drew views of its own, which were given up afterwards.
  std::set<uint64_t> drawn;
  for (const auto& [form, source] : set.sources) drawn.insert(form.seed);
  EXPECT_TRUE(drawn.contains(Set::options().seed + 1) && drawn.contains(Set::options().seed + 2));
  EXPECT_FALSE(bank.has({0, PictureForm::Variants::augmented_without_flips, Set::options().seed + 1}, {0, 1}));
  TrainOptions second = Set::options();
  second.seed += 2;
  EXPECT_DOUBLE_EQ(run_recipe(problem, bank, second, {}, test_backend()).accuracy(), seeds.scores[1]);
}

TEST(RecipeRuns, AListenerStopsThem) {
  Set set = equal_halves(600, 60);
  const RecipeProblem problem = set.problem();
  FeatureBank bank(problem, Set::options(), test_backend());
  TrainListener listener;
  listener.batch = [](double, double) { return false; };
  EXPECT_TRUE(run_recipe(problem, bank, Set::options(), listener, test_backend()).losses.empty());
  EXPECT_TRUE(cross_validate_recipe(problem, bank, 2, Set::options(), listener, test_backend()).scores.empty());
  Set near = sides(60, 20);  // where nothing is trained that could ask
  const RecipeProblem other = near.problem();
  FeatureBank its(other, Set::options(), test_backend());
  EXPECT_TRUE(cross_validate_recipe(other, its, 2, Set::options(), listener, test_backend()).scores.empty());
  EXPECT_TRUE(repeat_recipe(other, its, 2, Set::options(), listener, test_backend()).scores.empty());
}

TEST(RecipeRuns, APartThatAllowsNoChoiceIsLeftOut) {
  Set set = sides(2, 2);  // two classes: what two folds train on has one picture of each
  const RecipeProblem problem = set.problem();
  FeatureBank bank(problem, Set::options(), test_backend());
  std::vector<std::string> notes;
  TrainListener listener;
  listener.note = [&](const std::string& text) { notes.push_back(text); };
  EXPECT_TRUE(cross_validate_recipe(problem, bank, 2, Set::options(), listener, test_backend()).scores.empty());
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_TRUE(notes[0].starts_with("fold 1/2: left out: "));
}

}  // namespace
}  // namespace graft
