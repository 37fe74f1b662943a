#pragma once

#include "finetune/schedules/constant.h"
#include "finetune/schedules/cosine.h"
#include "finetune/schedules/decay.h"
#include "finetune/schedules/one_cycle.h"
#include "finetune/schedules/plateau.h"
#include "finetune/schedules/range_test.h"
#include "finetune/schedules/step.h"

namespace graft::schedules {

/// Every schedule.
using All =
    TypeList<Constant, Step, MultiStep, Exponential, InverseTime, Polynomial, Cosine, OneCycle, Plateau, RangeTest>;

}  // namespace graft::schedules
