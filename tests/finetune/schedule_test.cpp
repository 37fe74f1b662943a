#include "finetune/schedules/schedule.h"

#include <gtest/gtest.h>

#include "runtime/base/error.h"

namespace graft {
namespace {

TEST(Schedules, CosineFallsFromOneToZero) {
  const SchedulePtr cosine = make_schedule("cosine", {10});
  EXPECT_DOUBLE_EQ(cosine->factor(0), 1);
  EXPECT_NEAR(cosine->factor(5), 0.5, 1e-12);
  EXPECT_NEAR(cosine->factor(10), 0, 1e-12);
}

TEST(Schedules, StepDropsToATenthEachTime) {
  const SchedulePtr step = make_schedule("step", {9, 3});
  EXPECT_DOUBLE_EQ(step->factor(2.9), 1);
  EXPECT_NEAR(step->factor(3), 0.1, 1e-12);
  EXPECT_NEAR(step->factor(6.5), 0.01, 1e-12);
}

TEST(Schedules, ConstantStays) { EXPECT_EQ(make_schedule("constant", {})->factor(7), 1); }
TEST(Schedules, AnUnknownNameIsRefused) { EXPECT_THROW(make_schedule("nonsense", {}), Error); }

}  // namespace
}  // namespace graft
