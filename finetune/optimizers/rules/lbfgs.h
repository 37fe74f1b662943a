#pragma once

#include "finetune/optimizers/optimizer.h"
#include "runtime/core/component.h"

namespace graft::rules {

/// Limited-memory BFGS with a strong Wolfe line search, by liblbfgs: not steps but a whole descent, on the loss of all
/// samples plus λ/2‖w‖².  [Nocedal & Wright 2006, §7.2]
struct Lbfgs {
  static constexpr ComponentText kText{"lbfgs",
                                       "a whole descent on cached features; each epoch is one of its iterations",
                                       "limited-memory BFGS with a line search  [Nocedal & Wright 2006, §7.2]"};
  struct Options {
    int history = 10;
    void describe(SettingVisitor& visit) {
      visit("history", history,
            {.low = 1, .high = 1000, .unit = "steps", .help = "past steps that shape the next one"});
    }
  };
  static OptimizerPtr make(const Options& options);
};

}  // namespace graft::rules
