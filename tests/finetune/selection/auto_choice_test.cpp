#include "finetune/selection/auto_choice.h"

#include <gtest/gtest.h>

#include <set>

#include "runtime/core/error.h"
#include "tests/backend.h"
#include "tests/finetune/job.h"

namespace graft {
namespace {

AutoNetwork make(const AutoSettings& s, TrainOptions& o) {
  Job job{build_architecture("graft-small", {0, 3}), {}};
  job.head = graft_head(job.graph, {3, 5, false, parse_head(s.head.starts_with("mlp") ? "mlp:32" : s.head)});
  o.loss = {s.head == "svm" ? "hinge" : "cross-entropy"};
  apply_freeze(job.graph, {s.freeze, BatchNormPolicy::automatic}, job.head.parameters);
  return {std::move(job.graph), job.head.parameters};
}

AutoSearch search(const AutoSettings& given, const AutoFreedom& freedom, double seconds, int per_class = 10) {
  const ArraySource pictures("demo", 3, per_class, 64, 1);
  FeatureStore store(pictures, pictures.size(), false);
  return choose_settings(make, given, freedom, store, 3, 5, seconds, small_options(4), {}, test_backend());
}

TEST(AutoChoice, LeavesARateThatLearnsNothing) {
  const AutoSearch s = search({"linear", "all", 1e-4f, 1e-4f, 4}, {true, false, false, false, false}, 60);
  ASSERT_EQ(s.trials.size(), 5u);
  EXPECT_EQ(s.trials[0].settings.lr, 1e-4f);
  EXPECT_GT(s.trials[s.chosen].settings.lr, 1e-4f);
  EXPECT_GT(s.trials[s.chosen].folds.mean, s.trials[0].folds.mean);
}

/// One epoch ends long before the head has converged.
TEST(AutoChoice, TrainsLongerWhereThatHelps) {
  const AutoSearch s = search({"linear", "all", 0.02f, 1e-4f, 1}, {false, false, false, false, true}, 60, 40);
  ASSERT_EQ(s.trials.size(), 3u);
  EXPECT_EQ(s.trials[1].settings.epochs, 5);
  EXPECT_EQ(s.trials[2].settings.epochs, 20);
  EXPECT_GT(s.trials[s.chosen].settings.epochs, 1);
  EXPECT_GT(s.trials[s.chosen].folds.mean, s.trials[0].folds.mean);
}

TEST(AutoChoice, VariesOnlyWhatItMay) {
  const AutoSearch s = search({"linear", "all", 0.02f, 1e-3f, 4}, {false, true, false, true, false}, 60);
  std::set<float> decays;
  std::set<std::string> freezes;
  for (const AutoTrial& t : s.trials) {
    EXPECT_EQ(t.settings.lr, 0.02f);
    EXPECT_EQ(t.settings.head, "linear");
    decays.insert(t.settings.weight_decay);
    freezes.insert(t.settings.freeze);
  }
  EXPECT_EQ(decays.size(), 3u);
  EXPECT_EQ(freezes, (std::set<std::string>{"all", "last:1", "last:3"}));
}

TEST(AutoChoice, IsTheSameEachTime) {
  const AutoFreedom freedom{true, true, true, false, false};
  const AutoSearch a = search({"linear", "all", 0.02f, 1e-4f, 4}, freedom, 600),
                   b = search({"linear", "all", 0.02f, 1e-4f, 4}, freedom, 600);
  ASSERT_EQ(a.trials.size(), b.trials.size());
  EXPECT_EQ(a.chosen, b.chosen);
  for (size_t i = 0; i < a.trials.size(); ++i) EXPECT_EQ(a.trials[i].folds.scores, b.trials[i].folds.scores);
}

TEST(AutoChoice, KeepsWhatWasGivenWhenTheTimeIsOver) {
  const AutoSearch s = search({"linear", "all", 0.02f, 1e-4f, 4}, {}, 1e-6);
  EXPECT_EQ(s.trials.size(), 1u);
  EXPECT_EQ(s.chosen, 0u);
  EXPECT_EQ(s.trials[0].folds.scores.size(), 5u);
}

TEST(AutoChoice, SaysWhatIsWrongWithWhatWasGiven) {
  EXPECT_THROW(search({"linear", "none", 0.02f, 1e-4f, 4}, {}, 60), Error);
}

}  // namespace
}  // namespace graft
