#pragma once

#include "finetune/losses/formulas/cross_entropy.h"
#include "finetune/losses/formulas/distillation.h"
#include "finetune/losses/formulas/element_functions.h"
#include "finetune/losses/formulas/focal.h"
#include "finetune/losses/formulas/hinge.h"
#include "finetune/losses/formulas/kl_divergence.h"

/// Every loss: its name on the command line, and NAME of formulas::NAME(options, use), which calls use(formula).
#define GRAFT_LOSSES(loss)                                                                      \
  loss("cross-entropy", cross_entropy) loss("bce", binary_cross_entropy) loss("hinge", hinge)   \
      loss("squared-hinge", squared_hinge) loss("binary-hinge", binary_hinge)                   \
          loss("squared-binary-hinge", squared_binary_hinge) loss("mae", mean_absolute_error)   \
              loss("mse", mean_squared_error) loss("smooth-l1", smooth_l1) loss("huber", huber) \
                  loss("kl", kl_divergence) loss("focal", focal) loss("distillation", distillation)
