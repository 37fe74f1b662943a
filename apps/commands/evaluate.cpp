#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/cli/account.h"
#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/run_listener.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/evaluation/data_parts.h"
#include "apps/evaluation/evaluation_files.h"
#include "apps/evaluation/evaluation_text.h"
#include "apps/run/run_folder.h"
#include "graft/error.h"
#include "graft/evaluate.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options : PictureModelOptions {
  std::string data, split = "auto", labels, pictures_file, curves_file;
  double validation_part = 0.2;
  size_t mistakes = 10;
  bool validation_part_given = false, seed_given = false;
};

/// A folder of pictures alone that is named after one of the model's classes shows that class.
std::optional<Dataset> pictures_of_one_class(const Model& model, const std::string& folder) {
  namespace fs = std::filesystem;
  const fs::path plain = fs::path(folder + "/").parent_path().lexically_normal();
  const std::vector<std::string>& labels = model.labels();
  const std::string name = fs::weakly_canonical(plain).filename().string();
  if (!fs::is_directory(plain) || std::find(labels.begin(), labels.end(), name) == labels.end()) return std::nullopt;
  for (const auto& entry : fs::directory_iterator(plain))
    if (entry.is_directory()) return std::nullopt;
  const PictureList list = list_pictures({folder});
  Dataset data;
  data.classes = {name};
  for (const std::string& path : list.paths) data.test.push_back({path, 0});
  data.skipped = list.skipped;
  data.ignored = list.ignored;
  data.notes = {folder + " holds no folders: all of its pictures are taken for \"" + name +
                "\", as the folder is called"};
  return data;
}

/// What was not given is that of the run that made the model. Returns whether the pictures are those of that run.
bool take_run(Options& o) {
  const RunSource source = source_of_run(o.model);
  if (o.data.empty() && !source.data)
    throw Error("no labelled pictures are named", "name them behind the model; a RUN folder knows its own");
  const bool own = is_own_data(source, o.data);
  if (o.data.empty()) o.data = *source.data;
  if (own && !o.validation_part_given) o.validation_part = source.validation_part.value_or(o.validation_part);
  if (own && !o.seed_given) o.common.seed = source.seed.value_or(o.common.seed);
  return own;
}

void evaluate(Options o) {
  if (!o.pictures_file.empty()) check_predictions_path(o.pictures_file);
  if (!o.curves_file.empty()) check_curves_path(o.curves_file);
  if (!o.pictures_file.empty() && o.pictures_file == o.curves_file)
    throw Error("is the file of " + mention("pictures"), "choose another name").about("curves");
  Model model = Model::load(o.model);
  const bool own_data = take_run(o);
  take_labels(model, o.labels, o.common);
  const Task task = model.task();
  const RunSettings settings = run_settings(model, o);
  const auto one_class = task == Task::classes ? pictures_of_one_class(model, o.data) : std::nullopt;
  Dataset data = one_class ? *one_class : read_dataset(o.data, task, {o.validation_part, o.common.seed, false});
  // Parts that the data does not tell apart are made as training makes them; of a run's own data those that it trained
  // on are not to judge it.
  const bool as_trained = splits_as_training(o.split) || (own_data && o.split == "auto" && !data.is_split);
  if (!one_class && data.validation.empty() && as_trained)
    data = read_dataset(o.data, task, {o.validation_part, o.common.seed});
  const std::vector<DataPart> chosen = chosen_parts(data, o.split, o.data);
  if (!o.curves_file.empty() && chosen.size() > 1)
    throw Error("curves are drawn of one part", "give --split train, val or test").about("curves");
  open_device_for(o);
  RunListener listener(o.common.quiet);
  tell_notes(data, o.common.quiet);
  for (const std::string& reason : data.skipped) listener.skipped(reason);
  std::vector<EvaluatedPart> parts;
  Account account{0, {}, data.ignored};
  for (const DataPart& part : chosen) {
    listener.note("measured on " + std::string(part.split == "all" ? "all" : "the split " + part.split + " of") + " " +
                  o.data + ": " + std::to_string(part.files.size()) +
                  (part.files.size() == 1 ? " picture" : " pictures"));
    parts.push_back({part.split, part.files, evaluate(model, part.files, data.classes, settings, &listener)});
    account.pictures += static_cast<size_t>(parts.back().evaluation.pictures);
  }
  account.unreadable = listener.unreadable();
  if (!o.pictures_file.empty()) write_predictions(o.pictures_file, parts);
  if (!o.curves_file.empty()) write_curves(o.curves_file, parts[0].evaluation, parts[0].files);
  tell_account(account, o.common.quiet);
  if (!o.common.json) {
    if (parts.size() > 1)
      print_columns(parts);
    else
      print(parts[0], o.mistakes);
    return;
  }
  json figures = to_json(parts.back(), o.mistakes);  // of several parts the one that chose least
  if (o.split == "each") {
    figures["splits"] = json::object();
    for (const EvaluatedPart& part : parts) figures["splits"][part.split] = to_json(part, o.mistakes);
  }
  figures["views"] = o.views.empty() ? "center" : o.views;
  figures["dtype"] = precision(o.common);
  figures["notes"] = listener.notes();
  figures["unreadable"] = account.unreadable;
  figures["not_pictures"] = account.ignored;
  print_json(std::move(figures));
}

}  // namespace

void register_evaluate(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("evaluate", "Measure a classifier on labelled pictures");
  command->footer(examples({"graft evaluate run  # on the pictures that the run was given",
                            "graft evaluate model.onnx data --pictures answers.csv --curves curves.svg",
                            "graft evaluate run --split each"}));
  add_picture_model(*command, *o);
  add_disk_cache_options(*command, o->common, "on");
  const CLI::Option* seed = add_seed_option(*command, o->common, "Seed of the split, where the data is not split");
  command->add_option("data", o->data,
                      "Folder of train, val and test with CLASS in each, folder of CLASS, or table (CSV, TSV, JSON "
                      "lines); a RUN folder's own where it is left out");
  command
      ->add_option("--split", o->split,
                   "auto | test | val | train | all | each; auto: test where there is one, else val (of its own data "
                   "what a run split off), else everything; "
                   "each: the parts side by side")
      ->transform(one_of({"auto", "test", "val", "train", "all", "each"}))
      ->capture_default_str();
  const CLI::Option* part = command
                                ->add_option("--val-split", o->validation_part,
                                             "Part of each class that validates, where the data is not split")
                                ->check(CLI::Range(0.01, 0.9))
                                ->capture_default_str();
  add_labels_option(*command, o->labels);
  command
      ->add_option("--pictures", o->pictures_file,
                   "Write every picture with its class, answer, scores and loss, worst mistakes first: .csv or .jsonl")
      ->type_name("FILE");
  command
      ->add_option("--curves", o->curves_file,
                   "Write ROC and precision-recall curves (of measured values what is left over): .csv or .svg")
      ->type_name("FILE");
  command->add_option("--mistakes", o->mistakes, "How many of the worst mistakes are named")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command->callback([o, part, seed] {
    o->validation_part_given = part->count() > 0;
    o->seed_given = seed->count() > 0;
    evaluate(*o);
  });
}

}  // namespace graft::app
