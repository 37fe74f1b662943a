#include "finetune/selection/next_labels.h"

#include <gtest/gtest.h>

#include <set>

#include "runtime/core/random.h"
#include "runtime/core/thread_limit.h"

namespace graft {
namespace {

constexpr size_t kWidth = 16;

/// Sample i is of kind i % 8.
std::vector<float> eight_kinds(size_t count) {
  Random random(1);
  std::vector<float> features;
  for (size_t i = 0; i < count; ++i)
    for (size_t j = 0; j < kWidth; ++j) features.push_back((j / 2 == i % 8 ? 5.0f : 0.0f) + 0.3f * random.normal());
  return features;
}

TEST(NextToLabel, TakesOneOfEachKind) {
  const std::vector<float> features = eight_kinds(200), equal(200, 0.5f);
  for (uint64_t seed = 0; seed < 5; ++seed) {
    std::set<size_t> kinds;
    for (const size_t i : next_to_label(features, kWidth, equal, 8, seed)) kinds.insert(i % 8);
    EXPECT_GE(kinds.size(), 7u) << seed;  // k-means may put two means into one kind
  }
}

TEST(NextToLabel, PrefersWhatIsUnsure) {
  const std::vector<float> features = eight_kinds(200);
  std::vector<float> uncertainty(200, 0);
  for (size_t i = 0; i < 200; ++i)
    if (i % 8 < 3) uncertainty[i] = 0.9f;
  const std::vector<size_t> chosen = next_to_label(features, kWidth, uncertainty, 12, 1);
  ASSERT_EQ(std::set<size_t>(chosen.begin(), chosen.end()).size(), 12u);
  size_t unsure = 0;
  for (const size_t i : chosen) unsure += i % 8 < 3;
  EXPECT_GE(unsure, 10u);
  EXPECT_LT(chosen[0] % 8, 3u);
}

TEST(NextToLabel, FewSamplesAreAllTaken) {
  const std::vector<float> features = eight_kinds(5), uncertainty{0.1f, 0.9f, 0.5f, 0.5f, 0};
  EXPECT_EQ(next_to_label(features, kWidth, uncertainty, 5, 0), (std::vector<size_t>{1, 2, 3, 0, 4}));
  EXPECT_TRUE(next_to_label(features, kWidth, uncertainty, 0, 0).empty());
  const std::vector<float> same(20 * kWidth, 1.0f), zeros(20 * kWidth, 0.0f), sure(20, 0.0f);
  EXPECT_EQ(next_to_label(same, kWidth, sure, 6, 0).size(), 6u);
  EXPECT_EQ(next_to_label(zeros, kWidth, sure, 6, 0).size(), 6u);
}

TEST(NextToLabel, ThreadsChangeNothing) {
  const std::vector<float> features = eight_kinds(300), equal(300, 0.5f);
  std::vector<std::vector<size_t>> chosen;
  for (const int threads : {1, 2, 4}) {
    const ThreadLimit limit(threads);
    chosen.push_back(next_to_label(features, kWidth, equal, 20, 3));
  }
  EXPECT_EQ(chosen[1], chosen[0]);
  EXPECT_EQ(chosen[2], chosen[0]);
}

}  // namespace
}  // namespace graft
