#include <iostream>
#include <sstream>

#include "apps/commands/commands.h"
#include "apps/common.h"
#include "apps/finetune_job.h"
#include "apps/finetune_network.h"
#include "apps/finetune_preset.h"
#include "apps/setting_options.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

std::string words(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& n : names) all += (all.empty() ? "" : " | ") + n;
  return all;
}

/// Every option with the value it had, and everything that the chosen components are set to, as a file that --config
/// reads; options that were not given and have no default are left out. With a preset or a search for settings only
/// what was given is told, so that it finds the same things free again.
std::string resolved_config(const CLI::App& command, const SettingOptions& settings, const FinetuneOptions& o) {
  const bool defaults_also = o.preset.empty() && o.auto_seconds <= 0;
  std::istringstream all(command.config_to_str(defaults_also, /*write_description=*/false));
  std::string text = "[finetune]\n";
  for (std::string line; std::getline(all, line);) {
    const bool chosen = defaults_also && settings.is_of_component(line.substr(0, line.find('=')));
    if (!line.ends_with("=\"\"") && !chosen) text += line + "\n";
  }
  if (!defaults_also) return text;
  return text + config_lines(chosen_loss(o), loss_components()) +
         config_lines(o.train.optimizer, optimizer_components()) +
         config_lines(o.train.schedule, schedule_components()) + config_lines(chosen_head(o), head_components());
}

void finetune(FinetuneOptions& o, const CLI::App& command, const SettingOptions& settings) {
  settings.apply();
  apply_preset(o, command);
  o.train.optimizer = settings.completed("optimizer", o.train.optimizer);
  o.train.schedule = settings.completed("schedule", o.train.schedule);
  o.loss_values = settings.completed("loss", {chosen_loss(o).name, {}}).values;
  o.head_values = settings.completed("head", parse_head(o.head)).values;
  o.config_text = resolved_config(command, settings, o);
  o.freedom = {command.count("--lr") == 0, command.count("--weight-decay") == 0, command.count("--head") == 0,
               command.count("--freeze") == 0};
  const FinetuneReport report = run_finetune(o);
  if (o.common.json) std::cout << to_json_text(report) << "\n";
  if (!report.skipped.empty()) set_exit_status(kSomeSkipped);
}

/// The options that choose components, and those of all that can be set of them and of the training.
void add_settings(CLI::App& command, FinetuneOptions& o, SettingOptions& settings) {
  TrainOptions& t = o.train;
  command.add_option("--loss", o.loss, words(loss_names()) + " (default: cross-entropy, bce or mse, by the task)")
      ->check(CLI::IsMember(loss_names()));
  settings.add_components("loss", loss_components());
  command.add_option("--optimizer", t.optimizer.name, words(optimizer_names()))
      ->check(CLI::IsMember(optimizer_names()))
      ->capture_default_str();
  settings.add_components("optimizer", optimizer_components());
  command.add_option("--schedule", t.schedule.name, words(schedule_names()))
      ->check(CLI::IsMember(schedule_names()))
      ->capture_default_str();
  settings.add_components("schedule", schedule_components());
  std::vector<std::string> heads;
  for (const ComponentInfo& head : head_components()) heads.push_back(head.name);
  command.add_option("--head", o.head, words(heads) + "; mlp:H has a hidden layer of H")->capture_default_str();
  settings.add_components("head", head_components());
  t.each_group([&](const std::string& title, auto& group) { settings.add_group(title, group); });
}

}  // namespace

void register_finetune(CLI::App& app) {
  auto o = std::make_shared<FinetuneOptions>();
  auto* command = app.add_subcommand("finetune", "Train a new head (and more) on labelled pictures");
  add_common(*command, o->common);
  add_picture_options(*command, o->pictures);
  auto settings = std::make_shared<SettingOptions>(*command);
  command->add_option("model", o->model, "Pretrained ONNX model")->required();
  command
      ->add_option("data", o->data,
                   "Folder of train/CLASS and val/CLASS, folder of CLASS, or CSV of path,label[,split]")
      ->required();
  command->add_option("-o,--output", o->output, "RUN folder to write")->required();
  command
      ->add_option("--task", o->task,
                   "classes | multi-label (CSV of path,label;label) | regression (CSV of path,value;value)")
      ->check(CLI::IsMember({"classes", "multi-label", "regression"}))
      ->capture_default_str();
  command->add_option("--freeze", o->freeze.policy, "all | none | until:NODE | last:N | match:REGEX")
      ->capture_default_str();
  command
      ->add_option("--batch-norm", o->batch_norm, "auto | frozen | train (auto: trained only when nothing is frozen)")
      ->check(CLI::IsMember({"auto", "frozen", "train"}))
      ->capture_default_str();
  command
      ->add_option("--stochastic-depth", o->stochastic_depth,
                   "Leave residual branches out: probability at the last, growing from the first")
      ->check(CLI::Range(0.0, 0.95));
  command
      ->add_option("--preset", o->preset,
                   words(preset_names()) + ": sets what is not given, for networks with batch norms")
      ->check(CLI::IsMember(preset_names()));
  add_settings(*command, *o, *settings);
  command->add_option("--teacher", o->teacher, "distillation: ONNX model whose scores are imitated");
  command->add_option("--class-weights", o->class_weights, "balanced, or one number a class")->delimiter(',');
  command
      ->add_option("--augment", o->recipe,
                   "none | default | alexnet | resnet | strong | transforms separated by commas (graft help transform)")
      ->capture_default_str();
  add_memory_option(*command, o->memory);
  command
      ->add_option("--val-split", o->validation_part, "Part of each class that validates, where the data is not split")
      ->check(CLI::Range(0.01, 0.9))
      ->capture_default_str();
  command
      ->add_option("--folds", o->folds,
                   "Cross-validate in so many parts before the run (the frozen part is computed once)")
      ->check(CLI::Range(2, 1000));
  command
      ->add_option("--auto", o->auto_seconds,
                   "Look so many seconds for a better rate, weight decay, head and depth, by cross-validation on "
                   "cached features; what is given stays")
      ->check(CLI::Range(1.0, 1e6))
      ->type_name("SECONDS");
  command->add_flag("--find-lr", o->find_rate,
                    "Only the learning-rate range test: RUN/rates.csv, RUN/rates.svg and a suggestion");
  command->add_flag("--resume", o->train.checkpoint.resume, "Go on from RUN's checkpoint");
  command->callback([o, command, settings] { finetune(*o, *command, *settings); });
}

}  // namespace graft::app
