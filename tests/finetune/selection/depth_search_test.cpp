#include "finetune/selection/depth_search.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "finetune/selection/depth_training.h"
#include "finetune/selection/softmax_regression.h"
#include "tests/finetune/selection/recipe_set.h"

namespace graft {
namespace {

/// Five convolutions with random weights; the same pixels in every view.
Set far_set(int64_t training = 400) {
  Set set = equal_halves(training, 20);
  set.hidden_layer = false;
  set.convolutions = 5;
  const auto draw = set.draw;
  set.draw = [draw](int64_t index, const PictureForm& form, uint64_t, float* to) {
    draw(index, form, 0, to);
    Random random(static_cast<uint64_t>(index) + 500);
    for (size_t p = 0; p < kPixels; ++p) to[p] += 0.9f * random.normal();
  };
  return set;
}

struct Outcome {
  std::vector<RecipeTrial> trials;
  std::vector<std::string> notes;
  std::optional<FoundDepth> found;
  int64_t reads = 0;  // by the search alone
  double budget = 0;  // in the end
};

/// `budget`: of the journal; `given`: by the user.
Outcome search(Set set, size_t limit_bytes, double budget = 1e6, double given = 1e6) {
  RecipeProblem problem = set.problem();
  problem.budget = given;
  TrainOptions options = Set::options();
  options.cache.limit_bytes = limit_bytes;
  FeatureBank bank(problem, options, test_backend());
  for (const std::string& depth : depths_to_try(set.convolutions))
    if (depth != "none")
      bank.keep_boundary(depth, HeadInput::features, problem.network(depth, HeadInput::features).graph, 0,
                         problem.training.size());
  bank.want({0}, problem.training, 0, 0, [](int64_t, int64_t) {});
  ClassTargets targets;
  for (const int64_t i : problem.training) {
    targets.labels.push_back(set.labels[static_cast<size_t>(i)]);
    targets.fold.push_back(static_cast<int>(i % 5));
  }
  FeatureMatrix features;
  features.append(bank.view({0}, problem.training, 0, HeadInput::features), bank.width(HeadInput::features));
  SoftmaxRegression head(features, targets, 0);
  head.sweep();
  Outcome outcome;
  TrainListener listener;
  listener.note = [&](const std::string& text) { outcome.notes.push_back(text); };
  SearchJournal journal(listener);
  journal.budget = budget;
  journal.add("head", judged(head, targets), 0, "");
  const PictureForm form{0, PictureForm::Variants::augmented, options.seed};
  const int64_t before = set.reads();
  outcome.found = DepthSearch(problem, bank, options, test_backend(), journal, problem.training, targets, form,
                              HeadInput::features, set.convolutions)
                      .run(head);
  outcome.reads = set.reads() - before;
  outcome.trials = journal.trials;
  outcome.budget = journal.budget;
  return outcome;
}

constexpr size_t kEnough = size_t{1} << 30;

TEST(DepthSearch, TriesAFifthHalfAndAll) {
  EXPECT_EQ(depths_to_try(10), (std::vector<std::string>{"last:2", "last:5", "none"}));
  EXPECT_EQ(depths_to_try(4), (std::vector<std::string>{"last:2", "none"}));
  EXPECT_EQ(depths_to_try(1), (std::vector<std::string>{"none"}));
  const Outcome outcome = search(far_set(), kEnough);
  ASSERT_EQ(outcome.trials.size(), 4u);
  const std::vector<RecipeTrial> depths(outcome.trials.begin() + 1, outcome.trials.end());
  EXPECT_TRUE(depths[0].what.starts_with("1 layer below the head, 15 epochs"));
  EXPECT_TRUE(depths[1].what.starts_with("2 layers"));
  EXPECT_TRUE(depths[2].what.starts_with("all layers"));
  for (const RecipeTrial& trial : depths) {
    const bool closer = &trial == &depths.back();  // what promises something and is followed by nothing deeper
    EXPECT_EQ(trial.pictures, closer ? 400 : 80) << trial.what;
    EXPECT_EQ(trial.what.ends_with("in 5 folds"), closer) << trial.what;
  }
  ASSERT_TRUE(outcome.found);
  // The one of the lowest loss among those that gain.
  double least = 1e9;
  for (const RecipeTrial& trial : depths)
    if (!trial.verdict.starts_with("no gain")) least = std::min(least, trial.loss);
  EXPECT_DOUBLE_EQ(outcome.found->judged.loss(), least);
  EXPECT_EQ(outcome.found->norms.size(), 5u);
  EXPECT_GT(outcome.found->gain, 0);
}

TEST(DepthSearch, KeptRowsTrainAsPicturesDo) {
  const Outcome kept = search(far_set(), kEnough), streamed = search(far_set(), 0);
  EXPECT_TRUE(std::any_of(streamed.notes.begin(), streamed.notes.end(),
                          [](const auto& note) { return note.find("too much memory") != std::string::npos; }));
  ASSERT_GE(kept.trials.size(), 3u);
  ASSERT_GE(streamed.trials.size(), 3u);
  for (size_t i = 1; i < 3; ++i) {  // the same but for rounding, which training amplifies
    EXPECT_EQ(kept.trials[i].what, streamed.trials[i].what);
    EXPECT_NEAR(kept.trials[i].loss, streamed.trials[i].loss, 0.02 + 0.1 * streamed.trials[i].loss);
  }
  EXPECT_GT(streamed.reads, kept.reads + 15 * 320);  // an epoch of a depth reads 320
}

TEST(DepthSearch, WhatTheBudgetDoesNotAllowIsSaid) {
  const Outcome outcome = search(far_set(), kEnough, 1e-6);
  EXPECT_EQ(outcome.trials.size(), 1u);
  EXPECT_FALSE(outcome.found);
  ASSERT_EQ(outcome.notes.size(), 3u);
  for (const std::string& note : outcome.notes) EXPECT_NE(note.find("not tried"), std::string::npos);
}

TEST(DepthSearch, AGainBuysTimeUnlessTheUserSaidHowLong) {
  const Outcome free = search(far_set(), kEnough, 1e6, -1), given = search(far_set(), kEnough, 1e6, 1e6);
  ASSERT_TRUE(free.found && given.found);
  const auto says_so = [](const std::string& note) { return note.find("choosing may take") != std::string::npos; };
  EXPECT_EQ(std::count_if(free.notes.begin(), free.notes.end(), says_so), 1);
  EXPECT_EQ(std::count_if(given.notes.begin(), given.notes.end(), says_so), 0);
  EXPECT_GT(free.budget, 1e6);
  EXPECT_EQ(given.budget, 1e6);
}

TEST(FairEpochs, AreThoseThatAllThatCanBeJudgedMayHave) {
  const std::vector<TrialCost> trials{{1, 0}, {3, 2}, {16, 4}};
  const std::span all(trials);
  EXPECT_DOUBLE_EQ(fair_epochs(all.first(1), 10, 60), 10);
  EXPECT_DOUBLE_EQ(fair_epochs(all, 26, 60), 6);     // the third would get one
  EXPECT_DOUBLE_EQ(fair_epochs(all, 106, 60), 5);    // all three
  EXPECT_DOUBLE_EQ(fair_epochs(all, 7, 60), 7);      // the second would get 1.25, 75 steps
  EXPECT_DOUBLE_EQ(fair_epochs(all, 7, 200), 1.25);  // which are 250 steps of larger sets
  EXPECT_DOUBLE_EQ(fair_epochs(all.last(1), 2, 60), 0);
}

TEST(MeasureActivations, LooksAtAllClasses) {
  Set set = far_set();
  set.classes = 10;
  set.training = 255;
  set.labels.clear();
  for (int i = 0; i < 260; ++i) set.labels.push_back(std::min(9, i / 26));
  const RecipeProblem problem = set.problem();
  EXPECT_EQ(measure_activations(problem, {0}, Set::options(), test_backend()).size(), 5u);
  std::set<int> classes;
  for (const auto& [form, source] : set.sources)
    for (const int64_t i : source->seen) classes.insert(source->label(i));
  EXPECT_EQ(classes.size(), 10u);
}

}  // namespace
}  // namespace graft
