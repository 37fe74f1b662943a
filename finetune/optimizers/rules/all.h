#pragma once

#include "finetune/optimizers/rules/adadelta.h"
#include "finetune/optimizers/rules/adafactor.h"
#include "finetune/optimizers/rules/adagrad.h"
#include "finetune/optimizers/rules/adam.h"
#include "finetune/optimizers/rules/alexnet.h"
#include "finetune/optimizers/rules/lamb.h"
#include "finetune/optimizers/rules/lars.h"
#include "finetune/optimizers/rules/lbfgs.h"
#include "finetune/optimizers/rules/lion.h"
#include "finetune/optimizers/rules/momentum.h"
#include "finetune/optimizers/rules/nadam.h"
#include "finetune/optimizers/rules/nesterov.h"
#include "finetune/optimizers/rules/radam.h"
#include "finetune/optimizers/rules/rmsprop.h"
#include "finetune/optimizers/rules/sgd.h"

namespace graft::rules {

/// Every rule that updates each element by itself, on the processor and on devices.
using ElementRules = TypeList<GradientDescent, Sgd, Momentum, Nesterov, AlexNet, AdaGrad, AdaDelta, RmsProp, Adam,
                              AdamW, AmsGrad, NAdam, RAdam, Lion>;

/// Every rule that looks at whole tensors: make(options) gives the processor's; the device's lie in finetune/cuda.
using TensorRules = TypeList<Lars, Lamb, Adafactor, Lbfgs>;

}  // namespace graft::rules
