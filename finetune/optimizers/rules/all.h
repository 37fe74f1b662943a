#pragma once

#include "finetune/optimizers/rules/adadelta.h"
#include "finetune/optimizers/rules/adagrad.h"
#include "finetune/optimizers/rules/adam.h"
#include "finetune/optimizers/rules/alexnet.h"
#include "finetune/optimizers/rules/momentum.h"
#include "finetune/optimizers/rules/nadam.h"
#include "finetune/optimizers/rules/nesterov.h"
#include "finetune/optimizers/rules/radam.h"
#include "finetune/optimizers/rules/rmsprop.h"
#include "finetune/optimizers/rules/sgd.h"

/// Every rule that updates each element by itself: NAME stands for rules::NAME(options, use), which calls use(rule).
#define GRAFT_ELEMENT_RULES(rule)                                                                                      \
  rule(gd) rule(sgd) rule(momentum) rule(nesterov) rule(alexnet) rule(adagrad) rule(adadelta) rule(rmsprop) rule(adam) \
      rule(adamw) rule(amsgrad) rule(nadam) rule(radam)
