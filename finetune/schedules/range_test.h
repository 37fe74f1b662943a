#pragma once

#include <algorithm>
#include <cmath>

#include "finetune/schedules/schedule.h"

namespace graft::schedules {

/// factor = span^(epoch/epochs - 1): from 1/span to 1, by the same factor each step.  [Smith 2017]
struct RangeTest {
  static constexpr ComponentText kText{"range-test", "climbs to the rate by the same factor each step",
                                       "factor = span^(epoch/epochs - 1)  [Smith 2017]"};
  struct Options {
    double span = 1e6;
    void describe(SettingVisitor& visit) {
      visit("span", span, {.low = 1, .high = 1e15, .help = "the last rate over the first"});
    }
  };
  static SchedulePtr make(const Options& o, const RunSpan& run) {
    return make_function_schedule([epochs = run.epochs, span = o.span](double epoch) {
      return std::pow(span, std::min(1.0, epoch / epochs) - 1);
    });
  }
};

}  // namespace graft::schedules
