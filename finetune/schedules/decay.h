#pragma once

#include <algorithm>
#include <cmath>

#include "finetune/schedules/schedule.h"

namespace graft::schedules {

/// factor = γ^epoch
struct Exponential {
  static constexpr ComponentText kText{"exponential", "down by the same factor in each epoch", "factor = γ^epoch"};
  struct Options {
    double gamma = 0.95;
    void describe(SettingVisitor& visit) {
      visit("lr-gamma", gamma, {.low = 0, .high = 1, .help = "γ, the factor of an epoch"});
    }
  };
  static SchedulePtr make(const Options& o, const RunSpan&) {
    return make_function_schedule([gamma = o.gamma](double epoch) { return std::pow(gamma, epoch); });
  }
};

/// factor = 1/(1 + k·epoch)
struct InverseTime {
  static constexpr ComponentText kText{"inverse-time", "down as one over the time", "factor = 1/(1 + k·epoch)"};
  struct Options {
    double rate = 1;
    void describe(SettingVisitor& visit) {
      visit("inverse-rate", rate, {.low = 0, .high = 1e6, .unit = "1/epoch", .help = "k, how fast it falls"});
    }
  };
  static SchedulePtr make(const Options& o, const RunSpan&) {
    return make_function_schedule([k = o.rate](double epoch) { return 1 / (1 + k * epoch); });
  }
};

/// factor = (1 - epoch/epochs)^p
struct Polynomial {
  static constexpr ComponentText kText{"polynomial", "down to zero at the end of the run",
                                       "factor = (1 - epoch/epochs)^p"};
  struct Options {
    double power = 1;
    void describe(SettingVisitor& visit) {
      visit("power", power, {.low = 0, .high = 100, .help = "p (1: a straight line)"});
    }
  };
  static SchedulePtr make(const Options& o, const RunSpan& run) {
    return make_function_schedule([epochs = run.epochs, power = o.power](double epoch) {
      return std::pow(1 - std::min(1.0, epoch / epochs), power);
    });
  }
};

}  // namespace graft::schedules
