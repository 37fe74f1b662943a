#include "finetune/selection/cross_validation.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <numeric>

#include "finetune/data/row_stream.h"
#include "finetune/selection/rate_finder.h"
#include "runtime/core/error.h"
#include "tests/backend.h"
#include "tests/finetune/job.h"

namespace graft {
namespace {

std::vector<int64_t> indices(int64_t count) {
  std::vector<int64_t> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

TEST(CrossValidation, PartsHoldEqualSharesOfEveryClass) {
  const ArraySource source("demo", 3, 10, 8, 1);
  std::map<std::pair<int, int>, int> count;
  const std::vector<int64_t> all = indices(source.size());
  const auto folds = assign_folds(source, all, 5, 3);
  for (int64_t i = 0; i < source.size(); ++i) ++count[{folds[static_cast<size_t>(i)], source.label(i)}];
  for (const auto& [key, n] : count) EXPECT_EQ(n, 2);
  EXPECT_EQ(count.size(), 15u);
  EXPECT_NE(folds, assign_folds(source, all, 5, 4));
}

/// One fold by hand: trained on the pictures of the other folds, the score must be the one that cross-validation
/// reports. Behind the last convolutions of a residual network the frozen part ends in pictures, and in two places: a
/// branch and what is added to it.
class CrossValidationAtDepth : public testing::TestWithParam<const char*> {};

TEST_P(CrossValidationAtDepth, AFoldIsARunOnTheOtherParts) {
  const std::string depth = GetParam();
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
  Job job = make_job(depth);
  const auto before = all_parameters(job.graph);
  const ArraySource source("demo", 3, 6, 64, 1);
  const TrainOptions options = small_options(5);
  const auto folds_of = [&](const Job& of, FeatureStore& store, int count) {
    return cross_validate(of.graph, of.head.parameters, store, depth, {count, true}, 3, options, {}, test_backend());
  };
  FeatureStore store(source, source.size(), true);
  const FoldsResult result = folds_of(job, store, 3);
  ASSERT_EQ(result.scores.size(), 3u);
  EXPECT_NEAR(result.mean, (result.scores[0] + result.scores[1] + result.scores[2]) / 3, 1e-12);
  const auto after = all_parameters(job.graph);
  EXPECT_EQ(std::memcmp(before.data(), after.data(), before.size() * sizeof(float)), 0);
  const auto folds = assign_folds(source, indices(source.size()), 3, options.seed);
  for (int f = 0; f < 3; ++f) {
    std::vector<int64_t> training, validation;
    for (int64_t i = 0; i < source.size(); ++i)
      (folds[static_cast<size_t>(i)] == f ? validation : training).push_back(i);
    Job alone = make_job(depth);
    const TrainResult r = train(alone.graph, alone.head.parameters, Subset(source, training),
                                Subset(source, validation), 3, options, {}, test_backend());
    EXPECT_DOUBLE_EQ(r.best_val_score, result.scores[static_cast<size_t>(f)]);
  }
  EXPECT_THROW(folds_of(job, store, 1), Error);
  const Job free = make_job("none");
  FeatureStore empty(source, source.size(), true);
  EXPECT_THROW(folds_of(free, empty, 3), Error);
}

INSTANTIATE_TEST_SUITE_P(Depths, CrossValidationAtDepth, testing::Values("all", "last:1", "last:2", "last:3"),
                         [](const auto& depth) {
                           std::string name = depth.param;
                           std::erase(name, ':');
                           return name;
                         });

TEST(FeatureStore, GivesARunTheRowsThatItWouldCompute) {
  const ArraySource training("demo", 3, 8, 64, 1), validation("demo", 3, 2, 64, 2);
  /// One behind the other.
  class Both final : public SampleSource {
   public:
    Both(const SampleSource& first, const SampleSource& second) : first_(first), second_(second) {}
    int64_t size() const override { return first_.size() + second_.size(); }
    int label(int64_t i) const override { return of(i).label(i < first_.size() ? i : i - first_.size()); }
    std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override {
      asked += static_cast<int64_t>(order.size());
      return std::make_unique<RowStream>(std::move(order), batch, 64 * 64 * 3, [this](const SampleRef& ref, float* to) {
        const bool is_first = ref.index < first_.size();
        SampleBatch one;
        const auto stream = of(ref.index).stream({{is_first ? ref.index : ref.index - first_.size(), ref.variant}}, 1);
        stream->next(one);
        std::copy_n(one.pixels, one.floats, to);
        return std::string();
      });
    }
    mutable int64_t asked = 0;

   private:
    const SampleSource& of(int64_t i) const { return i < first_.size() ? first_ : second_; }
    const SampleSource &first_, &second_;
  };
  const Both both(training, validation);
  const TrainOptions options = small_options(4);
  Job alone = make_job("all"), shared = make_job("all");
  const TrainResult computed =
      train(alone.graph, alone.head.parameters, training, validation, 3, options, {}, test_backend());
  FeatureStore store(both, training.size(), false);
  const RunFeatures features = store.for_run(store.at("all", shared.graph, options, {}, test_backend()));
  const TrainResult given =
      train(shared.graph, shared.head.parameters, both, both, 3, options, {}, test_backend(), &features);
  EXPECT_EQ(all_parameters(alone.graph), all_parameters(shared.graph));
  EXPECT_EQ(computed.best_val_score, given.best_val_score);
  EXPECT_TRUE(given.features_cached);
  EXPECT_EQ(both.asked, training.size() * (1 + options.cache.views) + validation.size());
  store.at("all", shared.graph, options, {}, test_backend());
  EXPECT_EQ(both.asked, training.size() * (1 + options.cache.views) + validation.size()) << "computed again";
}

TEST(FeatureStore, ComputesAllDepthsInOnePass) {
  const ArraySource pictures("demo", 3, 6, 64, 1);
  class Counted final : public SampleSource {
   public:
    explicit Counted(const SampleSource& source) : source_(source) {}
    int64_t size() const override { return source_.size(); }
    int label(int64_t i) const override { return source_.label(i); }
    std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override {
      asked += static_cast<int64_t>(order.size());
      return source_.stream(std::move(order), batch);
    }
    mutable int64_t asked = 0;

   private:
    const SampleSource& source_;
  };
  const Counted source(pictures);
  const TrainOptions options = small_options(2);
  const Job job = make_job("all"), one = make_job("last:1"), three = make_job("last:3");
  FeatureStore together(source, source.size(), true);
  EXPECT_EQ(together.announce("last:3", three.graph, options, test_backend()), "");
  EXPECT_EQ(together.announce("last:1", one.graph, options, test_backend()), "");
  together.at("last:1", one.graph, options, {}, test_backend());
  const int64_t once = source.size() * (1 + options.cache.views);
  EXPECT_EQ(source.asked, once);
  for (const auto& [depth, network] : {std::pair{"last:1", &one}, {"last:3", &three}, {"all", &job}}) {
    const int64_t before = source.asked;
    const FeatureRows& rows = together.at(depth, network->graph, options, {}, test_backend());
    EXPECT_EQ(source.asked - before, std::string(depth) == "all" ? once : 0) << "was not announced";
    FeatureStore alone(source, source.size(), true);
    const FeatureRows& same = alone.at(depth, network->graph, options, {}, test_backend());
    ASSERT_EQ(rows.outputs.size(), same.outputs.size()) << depth;
    for (size_t o = 0; o < rows.outputs.size(); ++o) {
      ASSERT_EQ(rows.width(o), same.width(o)) << depth;
      std::vector<float> x(rows.width(o)), y(rows.width(o));
      for (const uint64_t variant : {0u, 1u, 2u}) {
        rows.copy(o, {5, variant}, x.data());
        same.copy(o, {5, variant}, y.data());
        EXPECT_EQ(x, y) << depth << " variant " << variant;
      }
    }
  }
}

TEST(FeatureStore, SaysWhatIsInTheWay) {
  const ArraySource source("demo", 3, 6, 64, 1);
  FeatureStore store(source, source.size(), true);
  TrainOptions options = small_options(3);
  const Job free = make_job("none"), job = make_job("all");
  EXPECT_EQ(store.announce("none", free.graph, options, test_backend()), "nothing is frozen");
  options.cache.limit_bytes = 1000;
  EXPECT_NE(store.announce("all", job.graph, options, test_backend()).find("its results would take"),
            std::string::npos);
  options.cache.mode = CacheOptions::Mode::on;
  EXPECT_EQ(store.announce("all", job.graph, options, test_backend()), "");
  options.unfreezing.every = 1;
  EXPECT_THROW(store.at("all", job.graph, options, {}, test_backend()), Error);
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
