#include <iostream>
#include <sstream>

#include "apps/commands/commands.h"
#include "apps/common.h"
#include "apps/finetune_job.h"
#include "runtime/base/error.h"

namespace graft::app {
namespace {

/// Every option with the value it had, as a file that --config reads; those that were not given and have no default are left out.
std::string resolved_config(const CLI::App& command) {
  std::istringstream all(command.config_to_str(/*default_also=*/true, /*write_description=*/false));
  std::string text = "[finetune]\n";
  for (std::string line; std::getline(all, line);)
    if (!line.ends_with("=\"\"")) text += line + "\n";
  return text;
}

void finetune(FinetuneOptions& o, const CLI::App& command) {
  o.config_text = resolved_config(command);
  const FinetuneReport report = run_finetune(o);
  if (o.common.json) std::cout << to_json_text(report) << "\n";
  if (!report.skipped.empty()) set_exit_status(kSomeSkipped);
}

}  // namespace

void register_finetune(CLI::App& app) {
  auto o = std::make_shared<FinetuneOptions>();
  auto* command = app.add_subcommand("finetune", "Train a new head (and more) on labelled pictures");
  add_common(*command, o->common);
  add_picture_options(*command, o->pictures);
  TrainOptions& t = o->train;
  command->add_option("model", o->model, "Pretrained ONNX model")->required();
  command->add_option("data", o->data, "Folder of train/CLASS and val/CLASS, folder of CLASS, or CSV of path,label[,split]")->required();
  command->add_option("-o,--output", o->output, "RUN folder to write")->required();
  command->add_option("--freeze", o->freeze.policy, "all | none | until:NODE | last:N | match:REGEX")->capture_default_str();
  command->add_option("--batch-norm", o->batch_norm, "auto | frozen | train (auto: trained only when nothing is frozen)")->check(CLI::IsMember({"auto", "frozen", "train"}))->capture_default_str();
  command->add_option("--dropout", o->dropout, "Dropout before the new head")->check(CLI::Range(0.0, 0.95))->capture_default_str();
  command->add_option("--loss", t.loss, "cross-entropy | hinge")->capture_default_str();
  command->add_option("--label-smoothing", t.loss_options.label_smoothing, "Cross-entropy: part of the target spread over all classes")->check(CLI::Range(0.0, 0.99));
  command->add_option("--class-weights", o->class_weights, "balanced, or one number a class")->delimiter(',');
  command->add_option("--auxiliary-weight", t.auxiliary_weight, "Weight of the loss at auxiliary heads, where the model has them (0: drop them)")->check(CLI::Range(0.0, 10.0))->capture_default_str();
  command->add_option("--optimizer", t.optimizer, "momentum | adam | sgd")->capture_default_str();
  command->add_option("--lr", t.lr, "Learning rate of the head (0: the optimizer's own)")->check(CLI::Range(0.0, 1000.0));
  command->add_option("--trunk-lr-scale", t.trunk_lr_scale, "Rate of the trunk, as a part of the head's")->check(CLI::Range(0.0, 100.0))->capture_default_str();
  command->add_option("--momentum", t.optimizer_options.momentum, "Momentum's µ")->check(CLI::Range(0.0, 1.0))->capture_default_str();
  command->add_option("--weight-decay", t.weight_decay, "L2 on all trained weights")->check(CLI::Range(0.0, 10.0))->capture_default_str();
  command->add_option("--schedule", t.schedule, "cosine | step | constant")->capture_default_str();
  command->add_option("--step-every", t.step_every, "Step schedule: epochs between drops to a tenth (0: a third of the run)")->check(CLI::Range(0.0, 1e6));
  command->add_option("--epochs", t.epochs, "Passes over the training pictures")->check(CLI::Range(1, 100000))->capture_default_str();
  command->add_option("--augment", o->recipe, "none | default | alexnet | resnet | strong | transforms separated by commas")->capture_default_str();
  command->add_option("--cache", o->cache, "auto | off | views:K (augmented views of which the frozen part's results are kept)")->capture_default_str();
  command->add_option("--val-split", o->validation_part, "Part of each class that validates, where the data is not split")->check(CLI::Range(0.01, 0.9))->capture_default_str();
  command->add_flag("--resume", t.resume, "Go on from RUN's checkpoint");
  command->callback([o, command] { finetune(*o, *command); });
}

}  // namespace graft::app
