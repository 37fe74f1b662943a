#include "finetune/selection/cross_validation.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "finetune/selection/rate_finder.h"
#include "runtime/core/error.h"
#include "tests/backend.h"
#include "tests/finetune/job.h"

namespace graft {
namespace {

TEST(CrossValidation, PartsHoldEqualSharesOfEveryClass) {
  const ArraySource source("demo", 3, 10, 8, 1);
  std::map<std::pair<int, int>, int> count;
  const auto folds = assign_folds(source, 5, 3);
  for (int64_t i = 0; i < source.size(); ++i) ++count[{folds[static_cast<size_t>(i)], source.label(i)}];
  for (const auto& [key, n] : count) EXPECT_EQ(n, 2);
  EXPECT_EQ(count.size(), 15u);
  EXPECT_NE(folds, assign_folds(source, 5, 4));
}

/// One fold by hand: trained on the pictures of the other folds, the score must be the one that cross-validation
/// reports.
TEST(CrossValidation, AFoldIsARunOnTheOtherParts) {
  class Subset final : public SampleSource {
   public:
    Subset(const SampleSource& source, std::vector<int64_t> indices) : source_(source), indices_(std::move(indices)) {}
    int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
    int label(int64_t i) const override { return source_.label(indices_[static_cast<size_t>(i)]); }
    std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override {
      for (SampleRef& ref : order) ref.index = indices_[static_cast<size_t>(ref.index)];
      return source_.stream(std::move(order), batch);
    }

   private:
    const SampleSource& source_;
    std::vector<int64_t> indices_;
  };
  Job job = make_job("all");
  const auto before = all_parameters(job.graph);
  const ArraySource source("demo", 3, 6, 64, 1);
  const TrainOptions options = small_options(5);
  const FoldsResult result = cross_validate(job.graph, job.head.parameters, source, 3, 3, options, {}, test_backend());
  ASSERT_EQ(result.scores.size(), 3u);
  EXPECT_NEAR(result.mean, (result.scores[0] + result.scores[1] + result.scores[2]) / 3, 1e-12);
  const auto after = all_parameters(job.graph);
  EXPECT_EQ(std::memcmp(before.data(), after.data(), before.size() * sizeof(float)), 0);
  const auto folds = assign_folds(source, 3, options.seed);
  for (int f = 0; f < 3; ++f) {
    std::vector<int64_t> training, validation;
    for (int64_t i = 0; i < source.size(); ++i)
      (folds[static_cast<size_t>(i)] == f ? validation : training).push_back(i);
    Job alone = make_job("all");
    const TrainResult r = train(alone.graph, alone.head.parameters, Subset(source, training),
                                Subset(source, validation), 3, options, {}, test_backend());
    EXPECT_DOUBLE_EQ(r.best_val_score, result.scores[static_cast<size_t>(f)]);
  }
  EXPECT_THROW(cross_validate(job.graph, job.head.parameters, source, 3, 1, options, {}, test_backend()), Error);
  Job free = make_job("none");
  EXPECT_THROW(cross_validate(free.graph, free.head.parameters, source, 3, 3, options, {}, test_backend()), Error);
}

TEST(RateFinder, ClimbsUntilTheLossRunsAwayAndLeavesTheGraphAlone) {
  Job job = make_job("all");
  const auto before = all_parameters(job.graph);
  const ArraySource training("demo", 3, 8, 64, 1), validation("demo", 3, 2, 64, 2);
  const RateSearch search = find_rate(job.graph, job.head.parameters, training, validation, 3, small_options(1), {},
                                      test_backend(), 1e-5, 1000);
  ASSERT_GT(search.trials.size(), 20u);
  EXPECT_NEAR(search.trials[0].rate, 1e-5, 1e-7);
  for (size_t i = 1; i < search.trials.size(); ++i) EXPECT_GT(search.trials[i].rate, search.trials[i - 1].rate);
  EXPECT_GT(search.suggestion, 1e-4);
  EXPECT_LT(search.suggestion, 10);
  EXPECT_LT(search.trials.back().rate, 1000);
  const auto after = all_parameters(job.graph);
  EXPECT_EQ(std::memcmp(before.data(), after.data(), before.size() * sizeof(float)), 0);
}

}  // namespace
}  // namespace graft
