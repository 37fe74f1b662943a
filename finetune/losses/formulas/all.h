#pragma once

#include "finetune/losses/formulas/cross_entropy.h"
#include "finetune/losses/formulas/distillation.h"
#include "finetune/losses/formulas/element_functions.h"
#include "finetune/losses/formulas/focal.h"
#include "finetune/losses/formulas/hinge.h"
#include "finetune/losses/formulas/kl_divergence.h"
#include "finetune/losses/formulas/poly1.h"

namespace graft::formulas {

/// Every loss.
using All = TypeList<CrossEntropy, BinaryCrossEntropy, Hinge, SquaredHinge, BinaryHinge, SquaredBinaryHinge,
                     MeanAbsoluteError, MeanSquaredError, SmoothL1, Huber, KlDivergence, Focal, Distillation, Poly1>;

}  // namespace graft::formulas
