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
    SettingValues values;
    WarmUpOptions warm_up;
    for (const auto& [name, text] : setting_values_in(o)) {
      if (name == "warmup")
        warm_up.epochs = std::stod(text);
      else if (name == "warmup-start")
        warm_up.start = std::stod(text);
      else
        values[name == "gamma" ? "lr-gamma" : name == "patience" ? "plateau-patience" : name] = text;
    }
    const SchedulePtr schedule = make_schedule({c.at("schedule"), values}, f.at("epochs").get<double>(), warm_up);
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
  EXPECT_NEAR(make_schedule({"cosine"}, 10)->factor(2.5), 0.5 * (1 + std::sqrt(0.5)), 1e-12);
  EXPECT_NEAR(make_schedule({"cosine"}, 10)->factor(10), 0, 1e-12);
  EXPECT_NEAR(make_schedule({"constant"}, 10, {2, 0})->factor(0.5), 0.25, 1e-12);
  EXPECT_DOUBLE_EQ(make_schedule({"step", {{"step-every", "3"}}}, 9)->factor(2.9), 1);
}

TEST(Schedules, RefuseWhatMakesNoSense) {
  EXPECT_THROW(make_schedule({"nonsense"}, 10), Error);
  EXPECT_THROW(make_schedule({"cosine"}, 3, {3, 0}), Error);
  EXPECT_THROW(make_schedule({"cosine", {{"restart-every", "1e-9"}}}, 3), Error);
}

}  // namespace
}  // namespace graft
