#pragma once

#include <string>

#include "finetune/training/train_options.h"
#include "graft/settings.h"

namespace graft {

/// The trainer's options that the settings mean, without picture size, teacher, class weights and checkpoint. Throws
/// Error, about the setting, for what is not allowed.
TrainOptions to_train_options(const FinetuneSettings& settings);

/// The other way: what the groups of `options` set is written to `settings`, the rest stays.
void set_training(FinetuneSettings& settings, const TrainOptions& options);

/// Every setting that a resumed run must share with the run before, a line each.
std::string resumable_text(const FinetuneSettings& settings);

}  // namespace graft
