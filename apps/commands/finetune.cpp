#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>

#include "apps/cli/common.h"
#include "apps/cli/interruption.h"
#include "apps/cli/json_output.h"
#include "apps/cli/setting_options.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/library/network.h"
#include "apps/library/read_lines.h"
#include "apps/library/train_settings.h"
#include "apps/run/finetune_files.h"
#include "apps/run/finetune_job.h"
#include "augment/augmentation.h"
#include "runtime/core/available_memory.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;

std::string words(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& n : names) all += (all.empty() ? "" : " | ") + n;
  return all;
}

/// Every option with the value it had, and everything that the chosen components are set to, as a file that --config
/// reads; options that were not given and have no default are left out. With a preset, a search for settings or a
/// recipe by the pictures only what was given is told, so that it finds the same things free again.
std::string resolved_config(const CLI::App& command, const SettingOptions& settings, const FinetuneOptions& o) {
  const bool defaults_also = o.preset.empty() && o.settings.search_seconds <= 0 && o.settings.budget_seconds == 0;
  std::istringstream all(command.config_to_str(defaults_also, /*write_description=*/false));
  std::string text = "[finetune]\n";
  for (std::string line; std::getline(all, line);) {
    for (const auto& [name, path] : {std::pair{"data=", &o.data}, {"model=", &o.model}, {"teacher=", &o.teacher}})
      if (line.starts_with(name) && !path->empty())  // a RUN is asked for its pictures from anywhere
        line = name + nlohmann::json(fs::absolute(*path).lexically_normal().string()).dump();
    if (line.starts_with("augment=") && o.settings.augment.ends_with(".toml"))  // the copy, which does not change
      line = "augment=" + nlohmann::json(o.output + "/augment.toml").dump();
    const bool chosen = defaults_also && settings.is_of_component(line.substr(0, line.find('=')));
    // Whoever repeats the run does so elsewhere, or says what is to become of what is there, and what to print.
    const std::string name = line.substr(0, line.find('='));
    if (name == "overwrite" || name == "resume" || name == "quiet" || name == "json") continue;
    if (name == "no-report") line = std::string("no-report=") + (o.report ? "false" : "true");
    if (!line.ends_with("=\"\"") && !chosen) text += line + "\n";
  }
  if (!defaults_also) return text;
  const FinetuneSettings& s = o.settings;
  return text + config_lines(chosen_loss(s, s.task), loss_components()) +
         config_lines(s.optimizer, optimizer_components()) + config_lines(s.schedule, schedule_components()) +
         config_lines(chosen_head(s), head_components());
}

std::set<std::string> given_settings(const CLI::App& command) {
  std::set<std::string> given;
  for (const CLI::Option* option : command.get_options())
    if (option->count() > 0) given.insert(option->get_lnames().begin(), option->get_lnames().end());
  return given;
}

/// --class-weights: "balanced", or numbers.
void read_class_weights(const std::vector<std::string>& words, FinetuneSettings& s) {
  s.balanced_weights = words.size() == 1 && words[0] == "balanced";
  if (s.balanced_weights) return;
  for (const std::string& word : words) {
    try {
      s.class_weights.push_back(std::stof(word));
    } catch (const std::exception&) {
      throw Error("\"" + word + "\" is no number", "write balanced, or one number a class").about("class-weights");
    }
  }
}

/// Whoever sets something of the training, be it to its default, gets the plain recipe with it.
void choose_or_not(FinetuneOptions& o, const std::set<std::string>& given) {
  FinetuneSettings& s = o.settings;
  static const std::set<std::string> kNotOfTheRecipe{
      "config",        "device",       "dtype",       "threads", "seed",          "batch",      "json",
      "quiet",         "preprocess",   "resize",      "crop",    "interpolation", "fit",        "background",
      "icc",           "exact-decode", "output",      "task",    "memory",        "val-split",  "resume",
      "class-weights", "budget",       "help",        "auto",    "folds",         "seeds",      "picture-cache",
      "overwrite",     "no-report",    "tensorboard", "mlflow",  "recipe",        "disk-cache", "disk-cache-limit"};
  if (s.budget_seconds == 0) {
    if (!o.recipe.empty() && s.search_seconds <= 0)
      throw Error("is of a run that chose, and this one does not", "leave it or " + mention("budget") + " out")
          .about("recipe");
    return;
  }
  // Class means are fitted by what chooses.
  const auto trains = [&](const std::string& name) {
    return !kNotOfTheRecipe.contains(name) && !(name == "head" && s.head.name == "prototype");
  };
  const auto others = std::count_if(given.begin(), given.end(), trains) - 1;
  for (const std::string& name : given) {
    if (!trains(name)) continue;
    if (s.budget_seconds > 0)
      throw Error("what it would choose is set: " + mention(name), "leave one of them out").about("budget");
    s.budget_seconds = 0;
    if (s.search_seconds <= 0) o.plain_because = name;
    o.plain_settings = others + 1;
    break;
  }
  if (s.task != Task::classes) {
    s.budget_seconds = 0;
    if (s.search_seconds <= 0) o.plain_because = "task";
  }
  if (!o.recipe.empty() && s.budget_seconds == 0 && s.search_seconds <= 0)
    throw Error("is of a run that chose, and this one does not", "leave it or " + mention(o.plain_because) + " out")
        .about("recipe");
}

/// --picture-cache: none where nothing is said.
std::optional<uint64_t> picture_cache_bytes(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text == "off") return 0;
  const MemoryLimit limit = memory_limit(text, "picture-cache");
  return limit.bytes > 0 ? limit.bytes : static_cast<uint64_t>(limit.part * static_cast<double>(available_memory()));
}

/// What the command line says, as the library takes it.
void read_options(FinetuneOptions& o, const CLI::App& command, const SettingOptions& settings) {
  FinetuneSettings& s = o.settings;
  settings.apply();
  set_training(s, o.train);
  s.task = task_named(o.task);
  s.seed = o.common.seed;
  s.compute = compute_settings(o.common);
  if (!o.recipe.empty()) s.recipe = read_text(o.recipe);
  const MemoryLimit memory = memory_limit(o.memory);
  s.memory_bytes = memory.bytes;
  s.memory_part = memory.part;
  s.picture_cache_bytes = picture_cache_bytes(o.picture_cache);
  s.batch_norm = o.batch_norm == "train"    ? BatchNormPolicy::train
                 : o.batch_norm == "frozen" ? BatchNormPolicy::frozen
                                            : BatchNormPolicy::automatic;
  read_class_weights(o.class_weights, s);
  const std::set<std::string> given = given_settings(command);
  if (!o.preset.empty()) apply_preset(s, o.preset, given);
  s.optimizer = settings.completed("optimizer", s.optimizer);
  s.schedule = settings.completed("schedule", s.schedule);
  s.loss.values = settings.completed("loss", {chosen_loss(s, s.task).name, {}}).values;
  s.head.values = settings.completed("head", parse_head(s.head.name)).values;
  choose_or_not(o, given);
  s.search_freedom = {!given.contains("lr"), !given.contains("weight-decay"), !given.contains("head"),
                      !given.contains("freeze"), !given.contains("epochs")};
}

void finetune(FinetuneOptions& o, const CLI::App& command, const SettingOptions& settings) {
  if (o.overwrite && o.settings.resume)
    throw Error("does not go with " + mention("overwrite"), "leave one of them out").about("resume");
  read_options(o, command, settings);
  o.config_text = resolved_config(command, settings, o);
  const std::string config = command.get_parent()->get_config_ptr()->as<std::string>(),
                    own = (fs::path(o.output) / "config.toml").string();
  if (o.settings.resume && config == own) o.settings_from = own;
  const FinetuneReport report = run_finetune(o);
  if (o.common.json) {
    nlohmann::json figures = to_json(report);
    figures["dtype"] = precision(o.common);
    print_json(std::move(figures));
  }
  if (Interruption::asked())
    set_exit_status(kInterrupted);
  else if (!report.result.diverged.empty())
    set_exit_status(kFailed);
  else if (!report.result.skipped.empty() || !report.account.unreadable.empty())
    set_exit_status(kSomeSkipped);
}

/// The options that choose components, and those of all that can be set of them and of the training.
void add_settings(CLI::App& command, FinetuneOptions& o, SettingOptions& settings) {
  FinetuneSettings& s = o.settings;
  command.add_option("--loss", s.loss.name, words(loss_names()) + " (default: cross-entropy, bce or mse, by the task)")
      ->transform(one_of(loss_names()));
  settings.add_components("loss", loss_components());
  command.add_option("--optimizer", s.optimizer.name, words(optimizer_names()))
      ->transform(one_of(optimizer_names()))
      ->capture_default_str();
  settings.add_components("optimizer", optimizer_components());
  command.add_option("--schedule", s.schedule.name, words(schedule_names()))
      ->transform(one_of(schedule_names()))
      ->capture_default_str();
  settings.add_components("schedule", schedule_components());
  std::vector<std::string> heads;
  for (const ComponentInfo& head : head_components()) heads.push_back(head.name);
  command.add_option("--head", s.head.name, words(heads) + "; mlp:H has a hidden layer of H")->capture_default_str();
  settings.add_components("head", head_components());
  command.add_option("--features", s.features,
                     "Name of the node or value that the head reads (default: what the classifier reads)");
  o.train.each_group([&](const std::string& title, auto& group) {
    const bool basic = title == "length" || title == "rates";
    settings.add_group(title, basic ? "Training" : kAdvanced + title, group);
  });
}

}  // namespace

void register_finetune(CLI::App& app) {
  auto o = std::make_shared<FinetuneOptions>();
  auto* command = app.add_subcommand("finetune", "Train a new head (and more) on labelled pictures");
  command->footer(examples({"graft finetune mobilenet_v2.onnx data -o run",
                            "graft finetune resnet50.onnx data -o run --freeze last:2 --epochs 20 --lr 0.01",
                            "graft finetune --config run/config.toml --output again  # the same run once more",
                            "graft finetune resnet50.onnx labels.csv -o run --task multi-label"}));
  add_device_options(*command, o->common);
  add_batch_option(*command, o->common);
  add_seed_option(*command, o->common, "Seed of everything random");
  add_output_options(*command, o->common);
  add_picture_options(*command, o->pictures);
  auto settings = std::make_shared<SettingOptions>(*command);
  command->add_option("model", o->model, "Pretrained ONNX model")->required();
  command
      ->add_option("data", o->data,
                   "Folder of train, val and test with CLASS in each, folder of CLASS, or table of path,label[,split] "
                   "(CSV, TSV, JSON lines)")
      ->required();
  command->add_option("-o,--output", o->output, "RUN folder to write")->required();
  command
      ->add_option("--task", o->task,
                   "classes | multi-label (CSV of path,label;label) | regression (CSV of path,value;value)")
      ->transform(one_of({"classes", "multi-label", "regression"}))
      ->capture_default_str();
  command->add_option("--freeze", o->settings.freeze, "all | none | until:NODE | last:N | match:REGEX")
      ->capture_default_str();
  command
      ->add_option("--batch-norm", o->batch_norm, "auto | frozen | train (auto: trained only when nothing is frozen)")
      ->transform(one_of({"auto", "frozen", "train"}))
      ->capture_default_str();
  command
      ->add_option("--stochastic-depth", o->settings.stochastic_depth,
                   "Leave residual branches out: probability at the last, growing from the first")
      ->check(CLI::Range(0.0, 0.95));
  command
      ->add_option("--preset", o->preset,
                   words(preset_names()) + ": sets what is not given, for networks with batch norms")
      ->transform(one_of(preset_names()));
  add_settings(*command, *o, *settings);
  command->add_option("--teacher", o->teacher, "distillation: ONNX model whose scores are imitated");
  command->add_option("--class-weights", o->class_weights, "balanced, or one number a class, with commas between them")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--augment", o->settings.augment, augmentation_help() + " (graft help transform)")
      ->capture_default_str();
  add_memory_option(*command, o->memory);
  command
      ->add_option("--picture-cache", o->picture_cache,
                   "Memory for decoded pictures, which later epochs need not decode again: 2G, 900M, a part of what is "
                   "available (25% unless given), or off")
      ->type_name("SIZE");
  add_disk_cache_options(*command, o->common, "on");
  command
      ->add_option("--val-split", o->validation_part, "Part of each class that validates, where the data is not split")
      ->check(CLI::Range(0.01, 0.9))
      ->capture_default_str();
  command
      ->add_option("--folds", o->settings.folds,
                   "Cross-validate in so many parts: without settings of the training after the run, choosing anew in "
                   "each; with some before it, as they say. What the frozen part makes of plain views is computed once")
      ->check(CLI::Range(2, 1000));
  command
      ->add_option("--seeds", o->settings.seeds,
                   "Make so many runs, each with the next seed, and tell how far their scores lie apart; the model is "
                   "the first one's")
      ->check(CLI::Range(1, 1000));
  command
      ->add_option("--auto", o->settings.search_seconds,
                   "The same as --budget; with settings of the training given, what is given stays, and rate, weight "
                   "decay, epochs, head and depth are searched by cross-validation on cached features")
      ->check(CLI::Range(1.0, 1e6))
      ->type_name("SECONDS");
  command
      ->add_option("--budget", o->settings.budget_seconds,
                   "Seconds for choosing what suits the pictures: preprocessing where the model does not say, flips, "
                   "views, the head's penalty, depth and epochs (-1: as long as the features took, at least a minute; "
                   "three times that where the head leaves errors that deeper training may mend; "
                   "0, or with any setting of the training but --class-weights given: the plain recipe)")
      ->check(CLI::Range(-1.0, 1e7))
      ->type_name("SECONDS")
      ->capture_default_str();
  command
      ->add_option("--recipe", o->recipe,
                   "auto.csv of a run: do again what it chose, in place of a search; RUN/config.toml names it")
      ->type_name("FILE");
  command->add_flag("--find-lr", o->settings.find_rate,
                    "Only the learning-rate range test: RUN/rates.csv, RUN/rates.svg and a suggestion");
  command->add_flag(
      "--tensorboard", o->tensorboard,
      "Also write what TensorBoard shows: curves while it runs, weights, mistakes and features at the end");
  command->add_option("--mlflow", o->mlflow, "Also write the run into this folder of MLflow's (mlruns)")
      ->type_name("FOLDER");
  command->add_flag("!--no-report", o->report, "Do not write RUN/report.html");
  command->add_flag("--overwrite", o->overwrite, "Replace the run that is in the RUN folder");
  command->add_flag(
      "--resume", o->settings.resume,
      "Go on from RUN's checkpoint, with its settings; --epochs, --patience, --threads and --device may be others");
  const auto group = [&](const std::string& name, const std::vector<const char*>& options) {
    for (const char* option : options) command->get_option(option)->group(name);
  };
  group("Training", {"--loss", "--optimizer", "--schedule", "--head", "--class-weights", "--augment", "--freeze"});
  group(std::string(kAdvanced) + "training",
        {"--features", "--batch-norm", "--stochastic-depth", "--preset", "--teacher", "--memory", "--picture-cache",
         "--disk-cache", "--disk-cache-limit"});
  group("Data", {"--task", "--val-split"});
  group("Choosing by the pictures", {"--folds", "--seeds", "--auto", "--budget", "--recipe", "--find-lr"});
  group("Run folder", {"--overwrite", "--resume", "--no-report", "--tensorboard", "--mlflow", "--output"});
  command->callback([o, command, settings] { finetune(*o, *command, *settings); });
}

}  // namespace graft::app
