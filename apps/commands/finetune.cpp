#include <iostream>
#include <sstream>

#include "apps/commands/commands.h"
#include "apps/common.h"
#include "apps/finetune_job.h"
#include "apps/finetune_preset.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

/// Every option with the value it had, as a file that --config reads; those that were not given and have no default are
/// left out.
std::string resolved_config(const CLI::App& command) {
  std::istringstream all(command.config_to_str(/*default_also=*/true, /*write_description=*/false));
  std::string text = "[finetune]\n";
  for (std::string line; std::getline(all, line);)
    if (!line.ends_with("=\"\"")) text += line + "\n";
  return text;
}

void finetune(FinetuneOptions& o, const CLI::App& command) {
  o.config_text = resolved_config(command);
  apply_preset(o, command);
  o.freedom = {command.count("--lr") == 0, command.count("--weight-decay") == 0, command.count("--head") == 0,
               command.count("--freeze") == 0};
  const FinetuneReport report = run_finetune(o);
  if (o.common.json) std::cout << to_json_text(report) << "\n";
  if (!report.skipped.empty()) set_exit_status(kSomeSkipped);
}

std::string words(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& n : names) all += (all.empty() ? "" : " | ") + n;
  return all;
}

void add_loss_options(CLI::App& command, FinetuneOptions& o) {
  LossOptions& l = o.train.loss_options;
  o.train.loss.clear();  // follows from the task
  command
      .add_option("--loss", o.train.loss, words(loss_names()) + " (default: cross-entropy, bce or mse, by the task)")
      ->check(CLI::IsMember(loss_names()));
  command
      .add_option("--label-smoothing", l.label_smoothing,
                  "cross-entropy, kl, distillation: part of the target spread over all classes")
      ->check(CLI::Range(0.0, 0.99));
  command.add_option("--margin", l.margin, "hinges: Δ")->check(CLI::Range(0.0, 1000.0))->capture_default_str();
  command.add_option("--delta", l.delta, "huber: δ; smooth-l1: β")->check(CLI::Range(1e-6, 1e6))->capture_default_str();
  command.add_option("--gamma", l.gamma, "focal: γ")->check(CLI::Range(0.0, 20.0))->capture_default_str();
  command.add_option("--teacher", o.teacher, "distillation: ONNX model whose scores are imitated");
  command.add_option("--temperature", l.temperature, "distillation: T")
      ->check(CLI::Range(0.1, 100.0))
      ->capture_default_str();
  command.add_option("--teacher-weight", l.teacher_weight, "distillation: the teacher's part of the loss")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--class-weights", o.class_weights, "balanced, or one number a class")->delimiter(',');
  command
      .add_option("--auxiliary-weight", o.train.auxiliary_weight,
                  "Weight of the loss at auxiliary heads, where the model has them (0: drop them)")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
}

void add_optimizer_options(CLI::App& command, TrainOptions& t) {
  OptimizerOptions& p = t.optimizer_options;
  command.add_option("--optimizer", t.optimizer, words(optimizer_names()))
      ->check(CLI::IsMember(optimizer_names()))
      ->capture_default_str();
  command.add_option("--lr", t.lr, "Learning rate of the head (0: the optimizer's own)")
      ->check(CLI::Range(0.0, 1000.0));
  command.add_option("--trunk-lr-scale", t.trunk_lr_scale, "Rate of the trunk, as a part of the head's")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command.add_option("--layer-decay", t.layer_decay, "Rate of each trunk layer, as a part of the one's above")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--momentum", p.momentum, "momentum, nesterov, alexnet, lars: µ")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--dampening", p.dampening, "momentum: part of the gradient left out")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--beta1", p.beta1, "adam and its kin")->check(CLI::Range(0.0, 0.999999))->capture_default_str();
  command.add_option("--beta2", p.beta2, "adam and its kin")->check(CLI::Range(0.0, 0.9999999))->capture_default_str();
  command.add_option("--epsilon", p.epsilon, "Guard of divisions (0: the rule's own)")->check(CLI::Range(0.0, 1.0));
  command.add_flag("--amsgrad", p.amsgrad, "adam, adamw: the largest second moment so far");
  command.add_flag("--decoupled", p.decoupled, "nadam, radam: weight decay beside the gradient");
  command.add_option("--rho", p.rho, "adadelta")->check(CLI::Range(0.0, 0.999999))->capture_default_str();
  command.add_option("--alpha", p.alpha, "rmsprop: smoothing")->check(CLI::Range(0.0, 0.999999))->capture_default_str();
  command.add_flag("--centred", p.centred, "rmsprop: divide by the deviation");
  command.add_option("--rms-momentum", p.rms_momentum, "rmsprop: µ")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--lr-decay", p.lr_decay, "adagrad")->check(CLI::Range(0.0, 1000.0))->capture_default_str();
  command.add_option("--trust", p.trust, "lars: η")->check(CLI::Range(0.0, 1.0))->capture_default_str();
  command.add_option("--weight-decay", t.weight_decay, "L2 on trained weights (below 0: the optimizer's own)")
      ->check(CLI::Range(-1.0, 10.0))
      ->capture_default_str();
  command.add_option("--l1", t.l1, "L1 on trained weights")->check(CLI::Range(0.0, 10.0));
  command.add_flag("!--no-decay-vectors", t.decay_vectors, "No weight decay and L1 on biases and norms");
  command.add_option("--accumulate", t.accumulate, "Batches an update")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command.add_option("--clip-norm", t.clip_norm, "Largest norm of the gradient (0: any)")->check(CLI::Range(0.0, 1e9));
  command.add_option("--clip-value", t.clip_value, "Largest slope (0: any)")->check(CLI::Range(0.0, 1e9));
  command
      .add_option("--ema", t.average, "Decay of a moving average of the weights, which validates and is kept (0: none)")
      ->check(CLI::Range(0.0, 0.999999));
  command.add_option("--sam", t.sharpness, "ρ of sharpness-aware minimisation (0: off; 0.05 is usual)")
      ->check(CLI::Range(0.0, 10.0));
}

void add_schedule_options(CLI::App& command, TrainOptions& t) {
  ScheduleOptions& s = t.schedule_options;
  command.add_option("--schedule", t.schedule, words(schedule_names()))
      ->check(CLI::IsMember(schedule_names()))
      ->capture_default_str();
  command.add_option("--warmup", s.warmup, "Epochs of linear rise before the schedule")->check(CLI::Range(0.0, 1e6));
  command.add_option("--step-every", s.step_every, "step: epochs between drops (0: a third of the run)")
      ->check(CLI::Range(0.0, 1e6));
  command.add_option("--step-factor", s.step_factor, "step, multi-step, plateau: what a drop multiplies by")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--milestones", s.milestones, "multi-step: epochs of the drops")->delimiter(',');
  command.add_option("--lr-gamma", s.gamma, "exponential: factor an epoch")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--inverse-rate", s.inverse_rate, "inverse-time: k")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  command.add_option("--power", s.power, "polynomial")->check(CLI::Range(0.0, 100.0))->capture_default_str();
  command.add_option("--restart-every", s.restart_every, "cosine: epochs of the first cycle (0: no restarts)")
      ->check(CLI::Range(0.0, 1e6));
  command.add_option("--restart-growth", s.restart_growth, "cosine: each cycle's length over that before")
      ->check(CLI::Range(1.0, 100.0))
      ->capture_default_str();
  command.add_option("--plateau-patience", s.patience, "plateau: epochs without progress")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
}

}  // namespace

void register_finetune(CLI::App& app) {
  auto o = std::make_shared<FinetuneOptions>();
  auto* command = app.add_subcommand("finetune", "Train a new head (and more) on labelled pictures");
  add_common(*command, o->common);
  add_picture_options(*command, o->pictures);
  TrainOptions& t = o->train;
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
      ->add_option("--unfreeze", o->unfreeze,
                   "EVERY[:LAYERS]: begin with the head alone and train LAYERS more below it after each EVERY epochs")
      ->type_name("EVERY[:LAYERS]");
  command
      ->add_option("--batch-norm", o->batch_norm, "auto | frozen | train (auto: trained only when nothing is frozen)")
      ->check(CLI::IsMember({"auto", "frozen", "train"}))
      ->capture_default_str();
  command
      ->add_option("--head", o->head,
                   "linear | mlp:H (a hidden layer of H) | svm (linear, hinge loss) | conv (1×1, a map a class)")
      ->capture_default_str();
  command->add_option("--head-init", o->head_init,
                      "gaussian:SIGMA | he | xavier (default: gaussian:0.01, and he for a hidden layer)");
  command->add_option("--dropout", o->dropout, "Dropout before the new head")
      ->check(CLI::Range(0.0, 0.95))
      ->capture_default_str();
  command->add_flag("--vanilla-dropout", o->vanilla_dropout, "Scale in use instead of in training");
  command
      ->add_option("--stochastic-depth", o->stochastic_depth,
                   "Leave residual branches out: probability at the last, growing from the first")
      ->check(CLI::Range(0.0, 0.95));
  command
      ->add_option("--preset", o->preset,
                   words(preset_names()) + ": sets what is not given, for networks with batch norms")
      ->check(CLI::IsMember(preset_names()));
  add_loss_options(*command, *o);
  add_optimizer_options(*command, t);
  add_schedule_options(*command, t);
  command->add_option("--epochs", t.epochs, "Passes over the training pictures")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command
      ->add_option("--augment", o->recipe,
                   "none | default | alexnet | resnet | strong | transforms separated by commas")
      ->capture_default_str();
  command
      ->add_option("--cache", o->cache,
                   "auto | off | views:K (augmented views of which the frozen part's results are kept)")
      ->capture_default_str();
  add_memory_option(*command, o->memory);
  command
      ->add_option("--val-split", o->validation_part, "Part of each class that validates, where the data is not split")
      ->check(CLI::Range(0.01, 0.9))
      ->capture_default_str();
  command->add_option("--patience", t.patience, "Stop after so many epochs without progress (0: never)")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command->add_flag("--recalibrate", t.recalibrate, "Measure the statistics of trained batch norms anew at the end");
  command->add_flag("--balanced", t.balanced, "Draw all classes equally often");
  command->add_option("--mixup", t.mixing.mixup, "Mix pictures (or cached features) and targets: α of Beta(α, α)")
      ->check(CLI::Range(0.0, 10.0));
  command
      ->add_option("--cutmix", t.mixing.cutmix, "Paste boxes of other pictures, targets in proportion: α of Beta(α, α)")
      ->check(CLI::Range(0.0, 10.0));
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
  command->add_flag("--resume", t.resume, "Go on from RUN's checkpoint");
  command->callback([o, command] { finetune(*o, *command); });
}

}  // namespace graft::app
