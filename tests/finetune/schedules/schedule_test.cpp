#include "finetune/schedules/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "runtime/core/error.h"
#include "tests/finetune/fixture.h"

namespace graft {
namespace {

/// PyTorch's rates at the beginning of each epoch, by tests/fixtures/make_schedules.py.
TEST(Schedules, EqualPyTorchs) {
  const auto f = fixture("schedules.json");
  const auto losses = f.at("losses").get<std::vector<double>>();
  std::set<std::string> checked;
  for (const auto& c : f.at("cases")) {
    const auto& o = c.at("options");
    ScheduleOptions options;
    options.epochs = f.at("epochs").get<double>();
    const auto number = [&](const char* key, auto& value) { take_option(o, key, value); };
    number("warmup", options.warmup);
    number("warmup_start", options.warmup_start);
    number("step_every", options.step_every);
    number("step_factor", options.step_factor);
    number("gamma", options.gamma);
    number("inverse_rate", options.inverse_rate);
    number("power", options.power);
    number("restart_every", options.restart_every);
    number("restart_growth", options.restart_growth);
    number("patience", options.patience);
    number("span", options.span);
    number("milestones", options.milestones);
    const SchedulePtr schedule = make_schedule(c.at("schedule"), options);
    checked.insert(c.at("schedule"));
    const auto factors = c.at("factors").get<std::vector<double>>();
    for (size_t epoch = 0; epoch < factors.size(); ++epoch) {
      EXPECT_NEAR(schedule->factor(static_cast<double>(epoch)), factors[epoch], 1e-9) << c.at("name") << " " << epoch;
      schedule->observe(losses[epoch]);
    }
  }
  const auto names = schedule_names();
  EXPECT_EQ(checked, std::set<std::string>(names.begin(), names.end()));
}

TEST(Schedules, RunBetweenEpochsToo) {
  EXPECT_NEAR(make_schedule("cosine", {.epochs = 10})->factor(2.5), 0.5 * (1 + std::sqrt(0.5)), 1e-12);
  EXPECT_NEAR(make_schedule("cosine", {.epochs = 10})->factor(10), 0, 1e-12);
  EXPECT_NEAR(make_schedule("constant", {.epochs = 10, .warmup = 2})->factor(0.5), 0.25, 1e-12);
  EXPECT_DOUBLE_EQ(make_schedule("step", {.epochs = 9, .step_every = 3})->factor(2.9), 1);
}

TEST(Schedules, RefuseWhatMakesNoSense) {
  EXPECT_THROW(make_schedule("nonsense", {}), Error);
  EXPECT_THROW(make_schedule("cosine", {.epochs = 3, .warmup = 3}), Error);
}

}  // namespace
}  // namespace graft
