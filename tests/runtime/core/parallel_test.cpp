#include "runtime/core/parallel.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "runtime/core/error.h"

namespace graft {
namespace {

class ParallelTest : public ::testing::Test {
 protected:
  void SetUp() override { omp_set_num_threads(4); }
  void TearDown() override { omp_set_num_threads(omp_get_num_procs()); }
};

TEST_F(ParallelTest, EveryIndexIsVisitedOnce) {
  std::vector<int> visits(1001, 0);
  parallel_for(1001, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) ++visits[static_cast<size_t>(i)];
  });
  EXPECT_EQ(std::accumulate(visits.begin(), visits.end(), 0), 1001);
  EXPECT_EQ(*std::max_element(visits.begin(), visits.end()), 1);
}

TEST_F(ParallelTest, WhatAThreadThrowsReachesTheCaller) {
  const auto fail_late = [](int64_t, int64_t last) {
    if (last == 1000) throw Error("the last piece fails");
  };
  EXPECT_THROW(parallel_for(1000, 1, fail_late), Error);
  EXPECT_THROW(parallel_team(4, [](int64_t, int64_t) { throw Error("every thread fails"); }), Error);
  int64_t done = 0;  // and the threads serve again afterwards
  parallel_for(1000, 1000, [&](int64_t first, int64_t last) { done += last - first; });
  EXPECT_EQ(done, 1000);
}

}  // namespace
}  // namespace graft
