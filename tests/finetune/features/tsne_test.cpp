#include "finetune/features/tsne.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/core/error.h"
#include "runtime/core/thread_limit.h"
#include "tests/finetune/fixture.h"

namespace graft {
namespace {

TEST(Tsne, EachSampleHasThePerplexityAskedFor) {
  const auto f = fixture("tsne.json");
  const auto x = f.at("x").get<std::vector<float>>();
  const int64_t n = static_cast<int64_t>(f.at("labels").size());
  const auto p = neighbour_probabilities(x, n, 15);
  for (int64_t i = 0; i < n; ++i) {
    double entropy = 0, sum = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double v = p[static_cast<size_t>(i * n + j)];
      sum += v;
      if (v > 0) entropy -= v * std::log(v);
    }
    EXPECT_EQ(p[static_cast<size_t>(i * n + i)], 0);
    EXPECT_NEAR(sum, 1, 1e-12);
    EXPECT_NEAR(std::exp(entropy), 15, 1e-4);
  }
}

/// The descent is no convex one: its end is held to the worst of five by scikit-learn.
void ends_as_low_as_scikit_learn(int64_t exact_up_to) {
  const auto f = fixture("tsne.json");
  const auto x = f.at("x").get<std::vector<float>>();
  const auto labels = f.at("labels").get<std::vector<int>>();
  const auto reference = f.at("divergences").get<std::vector<double>>();
  const auto n = static_cast<int64_t>(labels.size());
  const TsneResult result =
      tsne(x, n, {.perplexity = f.at("perplexity").get<double>(), .seed = 3, .exact_up_to = exact_up_to});
  EXPECT_LT(result.divergence, 1.05 * *std::max_element(reference.begin(), reference.end()));
  EXPECT_GT(result.divergence, 0.8 * *std::min_element(reference.begin(), reference.end()));
  int same = 0;
  for (int64_t i = 0; i < n; ++i) {
    int64_t nearest = -1;
    double least = HUGE_VAL;
    for (int64_t j = 0; j < n; ++j) {
      const double dx = result.places[static_cast<size_t>(2 * i)] - result.places[static_cast<size_t>(2 * j)],
                   dy = result.places[static_cast<size_t>(2 * i + 1)] - result.places[static_cast<size_t>(2 * j + 1)];
      if (j != i && dx * dx + dy * dy < least) least = dx * dx + dy * dy, nearest = j;
    }
    same += labels[static_cast<size_t>(i)] == labels[static_cast<size_t>(nearest)];
  }
  EXPECT_GE(same, n * 95 / 100);
  const TsneOptions few{.perplexity = 15, .iterations = 50, .seed = 3, .exact_up_to = exact_up_to};
  EXPECT_EQ(tsne(x, n, few).places, tsne(x, n, few).places);
}

TEST(Tsne, EndsAsLowAsScikitLearn) { ends_as_low_as_scikit_learn(1000); }
TEST(Tsne, EndsAsLowByBarnesAndHut) { ends_as_low_as_scikit_learn(0); }

TEST(Tsne, ThreadsChangeNoBitOfIt) {
  const auto x = fixture("tsne.json").at("x").get<std::vector<float>>();
  const auto n = static_cast<int64_t>(fixture("tsne.json").at("labels").size());
  const TsneOptions options{.perplexity = 15, .iterations = 60, .exact_up_to = 0};
  std::vector<std::vector<double>> places;
  for (const int threads : {1, 2, 5}) {
    const ThreadLimit limit(threads);
    places.push_back(tsne(x, n, options).places);
  }
  EXPECT_EQ(places[1], places[0]);
  EXPECT_EQ(places[2], places[0]);
}

TEST(Tsne, RefusesWhatCannotBe) {
  const std::vector<float> x(12, 0.0f);
  EXPECT_THROW(tsne(x, 3), Error);
  EXPECT_THROW(tsne(x, 12, {.perplexity = 5}), Error);
}

}  // namespace
}  // namespace graft
