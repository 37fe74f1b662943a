#include "finetune/optimizers/optimizer.h"
#include "graft/settings.h"
#include "runtime/core/api_boundary.h"

namespace graft {
namespace {

/// "Accelerating BN networks" [Ioffe & Szegedy 2015, §4.2.1-2], relative to the optimizer's own values: five times the
/// rate (their BN-x5), a fifth of the weight decay, a rate that falls six times as fast as Inception's 4 % each eight
/// epochs, no LRN, no dropout, less distorted pictures. Every epoch is shuffled anew anyway.
void accelerate_batch_norm(FinetuneSettings& s, const std::set<std::string>& given) {
  const auto free = [&](const char* setting) { return !given.contains(setting); };
  const auto optimizer = make_optimizer({s.optimizer.name});
  s.remove_lrn_and_dropout = true;
  if (free("freeze")) s.freeze = "none";
  if (free("batch-norm")) s.batch_norm = BatchNormPolicy::train;
  if (free("lr")) s.lr = 5 * optimizer->default_lr();
  if (free("weight-decay")) s.weight_decay = optimizer->default_weight_decay() / 5;
  if (free("augment")) s.augment = "crop,flip";
  if (free("schedule")) {
    s.schedule = {"exponential"};
    if (free("lr-gamma")) s.schedule.values["lr-gamma"] = "0.9698";  // 0.96^(6/8)
  }
}

}  // namespace

std::vector<std::string> preset_names() { return {"accelerating-bn"}; }

void apply_preset(FinetuneSettings& settings, const std::string& preset, const std::set<std::string>& given) {
  at_api_boundary([&] {
    if (preset != "accelerating-bn")
      throw Error("there is no such preset", "use accelerating-bn", ErrorCode::not_found).about("preset", preset);
    settings.preset = preset;
    accelerate_batch_norm(settings, given);
  });
}

}  // namespace graft
