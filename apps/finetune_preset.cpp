#include "apps/finetune_preset.h"

#include "finetune/optimizers/optimizer.h"

namespace graft::app {
namespace {

/// "Accelerating BN networks" [Ioffe & Szegedy 2015, §4.2.1-2], relative to the optimizer's own values: five times the
/// rate (their BN-x5), a fifth of the weight decay, a rate that falls six times as fast as Inception's 4 % each eight
/// epochs, no LRN, no dropout, less distorted pictures. Every epoch is shuffled anew anyway.
void accelerate_batch_norm(FinetuneOptions& o, const CLI::App& command) {
  const auto free = [&](const char* option) { return command.count(option) == 0; };
  const auto optimizer = make_optimizer({o.train.optimizer.name});
  o.simplify = true;
  if (free("--freeze")) o.freeze.policy = "none";
  if (free("--batch-norm")) o.batch_norm = "train";
  if (free("--lr")) o.train.rate.lr = 5 * optimizer->default_lr();
  if (free("--weight-decay")) o.train.regularisation.weight_decay = optimizer->default_weight_decay() / 5;
  if (free("--augment")) o.recipe = "crop,flip";
  if (free("--schedule")) {
    o.train.schedule = {"exponential"};
    if (free("--lr-gamma")) o.train.schedule.values["lr-gamma"] = "0.9698";  // 0.96^(6/8)
  }
}

}  // namespace

std::vector<std::string> preset_names() { return {"accelerating-bn"}; }

void apply_preset(FinetuneOptions& options, const CLI::App& command) {
  if (options.preset == "accelerating-bn") accelerate_batch_norm(options, command);
}

}  // namespace graft::app
