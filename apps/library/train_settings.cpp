#include "apps/library/train_settings.h"

#include <iterator>
#include <sstream>
#include <type_traits>

#include "apps/library/network.h"
#include "finetune/heads/head.h"
#include "finetune/losses/loss.h"
#include "finetune/optimizers/optimizer.h"
#include "finetune/schedules/schedule.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// Visits each public setting with the trainer's.
template <typename Settings, typename Options, typename Visit>
void each_pair(Settings& s, Options& o, const Visit& visit) {
  visit(s.epochs, o.length.epochs);
  visit(s.patience, o.length.patience);
  visit(s.lr, o.rate.lr);
  visit(s.trunk_lr_scale, o.rate.trunk_scale);
  visit(s.layer_decay, o.rate.layer_decay);
  visit(s.warmup, o.warm_up.epochs);
  visit(s.warmup_start, o.warm_up.start);
  visit(s.weight_decay, o.regularisation.weight_decay);
  visit(s.l1, o.regularisation.l1);
  visit(s.no_decay_vectors, o.regularisation.spare_vectors);
  visit(s.accumulate, o.gradient.accumulate);
  visit(s.clip_norm, o.gradient.clip_norm);
  visit(s.clip_value, o.gradient.clip_value);
  visit(s.sam, o.gradient.sharpness);
  visit(s.ema, o.averaging.decay);
  visit(s.recalibrate, o.averaging.recalibrate);
  visit(s.mixup, o.mixing.mixup);
  visit(s.cutmix, o.mixing.cutmix);
  visit(s.balanced, o.sampling.balanced);
  visit(s.auxiliary_weight, o.supervision.auxiliary_weight);
  visit(s.cache, o.cache.mode);
  visit(s.cached_views, o.cache.views);
  visit(s.unfreeze_every, o.unfreezing.every);
  visit(s.unfreeze_layers, o.unfreezing.layers);
}

void require(bool holds, const char* setting, const char* allowed) {
  if (!holds) throw Error("is out of range", std::string("allowed is ") + allowed).about(setting);
}

/// What no group of the trainer's describes.
void check(const FinetuneSettings& s) {
  require(s.compute.batch >= 0, "batch", "at least 1");
  require(s.compute.threads >= 0, "threads", "at least 0");
  require(s.memory_part >= 0 && s.memory_part <= 1, "memory", "a part of 0…1");
  require(s.stochastic_depth >= 0 && s.stochastic_depth <= 0.95, "stochastic-depth", "0…0.95");
  require(s.folds == 0 || s.folds >= 2, "folds", "at least 2");
  require(s.search_seconds >= 0, "auto", "at least 0");
  require(s.cached_views >= 1, "cache", "at least 1 view");
  require(s.unfreeze_every >= 0 && s.unfreeze_layers >= 1, "unfreeze", "at least 0 epochs and 1 layer");
}

/// With defaults as if they were given: whether they are is no difference.
std::string text_of(const Choice& choice, const std::vector<ComponentInfo>& components) {
  SettingValues values = choice.values;
  if (const ComponentInfo* component = find_component(components, choice.name))
    for (const SettingInfo& setting : component->settings)
      if (!setting.default_text.empty()) values.try_emplace(setting.name, setting.default_text);
  std::string text = choice.name;
  for (const auto& [name, value] : values) text += ':' + name + '=' + value;
  return text;
}

}  // namespace

TrainOptions to_train_options(const FinetuneSettings& settings) {
  check(settings);
  TrainOptions options;
  each_pair(settings, options, [](const auto& from, auto& to) { to = static_cast<std::decay_t<decltype(to)>>(from); });
  options.each_group(
      [](const char* name, const auto& group) { read_settings(setting_values(group), name, group); });  // ranges
  options.optimizer = settings.optimizer;
  options.schedule = settings.schedule;
  options.seed = settings.seed;
  options.threads = settings.compute.threads;
  if (settings.compute.batch > 0) options.batch = settings.compute.batch;
  options.memory = {static_cast<size_t>(settings.memory_bytes), settings.memory_part};
  options.unfreezing.batch_norm = settings.batch_norm;
  return options;
}

void set_training(FinetuneSettings& settings, const TrainOptions& options) {
  each_pair(settings, options, [](auto& to, const auto& from) { to = static_cast<std::decay_t<decltype(to)>>(from); });
}

std::string resumable_text(const FinetuneSettings& s) {
  std::ostringstream text;
  text.precision(9);
  TrainOptions options;
  each_pair(s, options, [](const auto& from, auto& to) { to = static_cast<std::decay_t<decltype(to)>>(from); });
  options.each_group([&](const char*, const auto& group) {
    for (const auto& [setting, value] : setting_values(group)) text << setting << '=' << value << '\n';
  });
  std::string augment = s.augment;  // a file's lines in one
  for (char& c : augment)
    if (c == '\n') c = ';';
  const char* norms = s.batch_norm == BatchNormPolicy::train    ? "train"
                      : s.batch_norm == BatchNormPolicy::frozen ? "frozen"
                                                                : "auto";
  text << "seed=" << s.seed << "\nbatch=" << s.compute.batch << "\ndtype=" << s.compute.precision
       << "\naugment=" << augment << "\nhead=" << text_of(s.head, head_components()) << "\nfeatures=" << s.features
       << "\nfreeze=" << s.freeze << "\nbatch-norm=" << norms << "\nstochastic-depth=" << s.stochastic_depth
       << "\npreset=" << (s.remove_lrn_and_dropout ? "accelerating-bn" : "none")
       << "\nloss=" << text_of(chosen_loss(s, s.task), loss_components())
       << "\noptimizer=" << text_of(s.optimizer, optimizer_components())
       << "\nschedule=" << text_of(s.schedule, schedule_components()) << "\nteacher=" << (s.teacher ? "given" : "none");
  if (s.search_seconds > 0)
    text << "\nauto=" << s.search_seconds << " s for" << (s.search_freedom.rate ? " rate" : "")
         << (s.search_freedom.weight_decay ? " weight-decay" : "") << (s.search_freedom.head ? " head" : "")
         << (s.search_freedom.freeze ? " freeze" : "") << (s.search_freedom.epochs ? " epochs" : "");
  text << "\nclass-weights=" << (s.balanced_weights ? "balanced" : "");
  for (const float weight : s.class_weights) text << weight << ' ';
  text << '\n';
  return text.str();
}

}  // namespace graft
