#include "runtime/core/parallel.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "runtime/core/error.h"
#include "runtime/core/thread_limit.h"

namespace graft {
namespace {

class ParallelTest : public ::testing::Test {
 protected:
  ThreadLimit four_threads_{4};
};

TEST_F(ParallelTest, EveryIndexIsVisitedOnce) {
  for (const int64_t n : {1, 3, 4, 17, 1001}) {
    std::vector<std::atomic<int>> visits(static_cast<size_t>(n));
    parallel_for(n, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) ++visits[static_cast<size_t>(i)];
    });
    for (const auto& count : visits) EXPECT_EQ(count, 1) << n;
  }
  parallel_for(0, 1, [](int64_t, int64_t) { FAIL() << "nothing is no piece"; });
}

TEST_F(ParallelTest, PartsThatRunAtTheSameTimeHaveSlotsOfTheirOwn) {
  std::vector<std::atomic<int>> users(4);
  for (int round = 0; round < 200; ++round)
    parallel_parts(37, 4, [&](int64_t, int64_t slot) {
      ASSERT_LT(slot, 4);
      EXPECT_EQ(users[static_cast<size_t>(slot)].fetch_add(1), 0);
      users[static_cast<size_t>(slot)].fetch_sub(1);
    });
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

/// A part that is held up holds up nothing else: the caller does what its threads have not begun.
TEST_F(ParallelTest, PartsThatAHeldUpThreadHasNotBegunAreDoneByOthers) {
  const auto caller = std::this_thread::get_id();
  std::atomic<int> done{0};
  std::atomic<bool> held{false};
  parallel_parts(16, 4, [&](int64_t, int64_t) {
    if (std::this_thread::get_id() != caller && !held.exchange(true))
      while (done < 15) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ++done;
  });
  EXPECT_EQ(done, 16);
}

TEST_F(ParallelTest, ARegionInsideARegionRunsInItsThread) {
  std::atomic<int> inner{0};
  parallel_team(4, [&](int64_t, int64_t) {
    EXPECT_EQ(thread_count(), 1);
    const auto self = std::this_thread::get_id();
    parallel_team(3, [&](int64_t, int64_t) {
      EXPECT_EQ(std::this_thread::get_id(), self);
      ++inner;
    });
    const ThreadLimit limit(2);  // leaves what the thread had, not what it has here
  });
  EXPECT_EQ(inner, 12);
  EXPECT_EQ(thread_count(), 4);
}

TEST_F(ParallelTest, ManyThreadsOpenRegionsAtTheSameTime) {
  std::vector<std::thread> callers;
  std::atomic<int64_t> sum{0};
  for (int caller = 0; caller < 40; ++caller)  // more than there are places for open regions
    callers.emplace_back([&] {
      const ThreadLimit limit(3);
      for (int round = 0; round < 100; ++round)
        parallel_for(64, 1, [&](int64_t first, int64_t last) { sum += last - first; });
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 40 * 100 * 64);
}

/// Parts that wait for each other end only where each has a thread of its own.
TEST_F(ParallelTest, ThreadsHelpAtOnceAndAfterTheyHaveSlept) {
  using Clock = std::chrono::steady_clock;
  for (int round = 0; round < 20; ++round) {
    if (round % 2 == 1) std::this_thread::sleep_for(std::chrono::milliseconds(3));
    std::atomic<int> here{0};
    const auto end = Clock::now() + std::chrono::seconds(60);
    parallel_team(4, [&](int64_t, int64_t) {
      ++here;
      while (here < 4 && Clock::now() < end) std::this_thread::yield();
    });
    ASSERT_LT(Clock::now(), end) << "fewer than four threads took part in round " << round;
  }
}

TEST_F(ParallelTest, AForkedProcessHasThreadsOfItsOwn) {
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "the thread sanitizer starts no threads behind a fork";
#endif
#endif
  parallel_team(4, [](int64_t, int64_t) {});  // so that there are some to lose
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<int> here{0};
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    parallel_team(4, [&](int64_t, int64_t) {
      ++here;
      while (here < 4 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    });
    _exit(std::chrono::steady_clock::now() < end ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(PartsTest, AreANumberForEachThreadAndNoMoreThanUnits) {
  EXPECT_EQ(parts_of(1000, 1, 2), 8);
  EXPECT_EQ(parts_of(1000, 200, 2), 4);
  EXPECT_EQ(parts_of(3, 100, 2), 2);
  EXPECT_EQ(parts_of(1, 1, 8), 1);
  EXPECT_EQ(parts_of(0, 1, 8), 1);
}

}  // namespace
}  // namespace graft
