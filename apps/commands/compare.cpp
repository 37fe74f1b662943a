#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "apps/cli/account.h"
#include "apps/cli/common.h"
#include "apps/cli/csv.h"
#include "apps/cli/json_output.h"
#include "apps/cli/run_listener.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/drawing/chart.h"
#include "apps/evaluation/data_parts.h"
#include "apps/evaluation/evaluation_files.h"
#include "apps/evaluation/evaluation_text.h"
#include "apps/models/model_reference.h"
#include "apps/run/run_folder.h"
#include "apps/run/settings_table.h"
#include "graft/compare.h"
#include "graft/error.h"
#include "importer/model.h"
#include "runtime/core/atomic_file.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const double kValidationPart = SplitSettings{}.validation_part;  // of runs that say none

struct Options : PictureModelOptions {
  std::vector<std::string> runs;
  std::string data, split = "auto", curves_file, pictures_file;
};

struct Run {
  std::string name, model;
  SettingsTable settings;
  EvaluatedPart part;
  Comparison against_first;  // of all but the first
};

/// Runs by their last name, by all of their path where two end alike, with a number where one is given twice.
std::vector<std::string> short_names(const std::vector<std::string>& runs) {
  const auto differ = [](const std::vector<std::string>& names) {
    return std::set<std::string>(names.begin(), names.end()).size() == names.size();
  };
  std::vector<std::string> names;
  for (const std::string& run : runs) names.push_back(name_of_path(run));
  if (!differ(names)) names = runs;
  for (size_t i = 0; !differ(names) && i < names.size(); ++i) names[i] += " (" + std::to_string(i + 1) + ")";
  return names;
}

/// A column of a run's history.csv; empty where there is none.
std::vector<double> history_of(const std::string& model, const std::string& column) {
  std::ifstream file(fs::path(model).parent_path() / "history.csv");
  std::vector<double> values;
  size_t wanted = std::string::npos;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string field;
    for (size_t i = 0; std::getline(fields, field, ','); ++i) {
      if (wanted == std::string::npos && field == column)
        wanted = i;
      else if (i == wanted && field != column)
        values.push_back(std::strtod(field.c_str(), nullptr));
    }
    if (wanted == std::string::npos) break;  // the first line names the columns
  }
  return values;
}

std::vector<SettingsTable> tables_of(const std::vector<Run>& runs) {
  std::vector<SettingsTable> tables;
  for (const Run& run : runs) tables.push_back(run.settings);
  return tables;
}

/// What a training says of itself in the model stands for what it was given: the default recipe chooses these.
void take_training(Run& run, const Model& model) {
  const auto& other = model.contents().metadata.other;
  const auto said = other.find("graft.training");
  const json training = said == other.end() ? json() : json::parse(said->second, nullptr, false);
  if (!training.is_object()) return;
  for (const char* name : {"freeze", "optimizer", "loss"})
    if (const auto at = training.find(name); at != training.end() && at->is_string())
      run.settings[name] = at->get<std::string>();
  const size_t epochs = history_of(run.model, "epoch").size();
  if (epochs > 0) run.settings["epochs"] = std::to_string(epochs);
}

void write_curves(const std::string& path, const std::vector<Run>& runs, Task task) {
  const std::string score = task == Task::classes ? "val_top1" : task == Task::multi_label ? "val_map" : "val_r2";
  std::vector<Chart> charts;
  for (const auto& [title, column] :
       {std::pair<std::string, std::string>{"validation loss", "val_loss"}, {"validation score", score}}) {
    Chart chart{title, "epoch", {}};
    for (const Run& run : runs) {
      Chart::Line line{run.name, history_of(run.model, "epoch"), history_of(run.model, column)};
      if (!line.y.empty() && line.x.size() == line.y.size())
        chart.lines.push_back(std::move(line));
      else if (charts.empty())
        std::cerr << "graft: " << run.name << " has no " << column << " in a history.csv: it is not drawn\n";
    }
    if (!chart.lines.empty()) charts.push_back(std::move(chart));
  }
  if (charts.empty())
    throw Error("none of the runs has a history.csv", "leave it out", ErrorCode::bad_data).about("curves");
  write_atomically(path, [&](std::ostream& stream) { stream << to_svg(charts); });
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ";") + name;
  return text;
}

/// What a picture shows: its class, or each of its labels.
std::vector<std::string> true_labels(const LabelledFile& item, int truth, const Evaluation& e) {
  if (truth >= 0) return {e.classes[static_cast<size_t>(truth)]};
  std::vector<std::string> names;
  for (size_t k = 0; k < item.target.size() && e.task == Task::multi_label; ++k)
    if (item.target[k] > 0.5f) names.push_back(e.classes[k]);
  return names;
}

/// Every picture on which any two runs differ, those that part their losses most first.
void write_differences(const std::string& path, const std::vector<Run>& runs) {
  std::set<size_t> listed;
  std::vector<size_t> files;
  for (const Run& run : runs)
    for (const size_t file : run.against_first.differ)
      if (listed.insert(file).second) files.push_back(file);
  write_atomically(path, [&](std::ostream& stream) {
    stream << "path,class";
    for (const Run& run : runs)
      stream << ',' << csv_field("answer of " + run.name) << ',' << csv_field("right in " + run.name) << ','
             << csv_field("loss in " + run.name);
    stream << '\n';
    for (const size_t file : files) {
      const LabelledFile& item = runs[0].part.files[file];
      bool first = true;
      for (const Run& run : runs) {
        const Evaluation& e = run.part.evaluation;
        const auto p = std::lower_bound(e.predictions.begin(), e.predictions.end(), file,
                                        [](const Prediction& q, size_t wanted) { return q.file < wanted; });
        const bool read = p != e.predictions.end() && p->file == file;
        if (std::exchange(first, false))
          stream << csv_field(item.path) << ',' << csv_field(joined(true_labels(item, read ? p->truth : -1, e)));
        if (!read) {
          stream << ",,,";
          continue;
        }
        stream << ',' << csv_field(joined(answer_of(*p, e))) << ',' << is_right(*p, item, e) << ',' << p->loss;
      }
      stream << '\n';
    }
  });
}

json to_json(const Difference& d) {
  return {
      {"difference", d.value}, {"interval", {d.interval.low, d.interval.high}}, {"beyond_chance", d.beyond_chance()}};
}

void print_difference(const Run& run, const Run& first, Task task) {
  const Comparison& c = run.against_first;
  const char* verdict[] = {"within chance", "beyond chance"};
  const auto line = [&](const char* what, const Difference& d, double scale, const char* unit) {
    std::printf("  %-20s %+.4g%s (%.4g to %.4g), %s\n", what, d.value * scale, unit, d.interval.low * scale,
                d.interval.high * scale, verdict[d.beyond_chance()]);
  };
  std::printf("\n%s against %s, %zu pictures, 95 %% intervals of the difference\n", run.name.c_str(),
              first.name.c_str(), c.pictures);
  if (task == Task::regression)
    line("mean absolute error", c.score, 1, "");
  else
    line(task == Task::classes ? "top-1" : "every label right", c.score, 100, " points");
  line("loss", c.loss, 1, "");
  if (task != Task::regression)
    std::printf("  they differ on %zu; %zu are right in %s alone, %zu in %s alone\n", c.differ.size(),
                c.only_second_right, run.name.c_str(), c.only_first_right, first.name.c_str());
}

void print_settings(const std::vector<Run>& runs) {
  const std::vector<std::string> names = settings_that_differ(tables_of(runs));
  if (names.empty()) return;
  std::printf("\nsettings that differ\n");
  for (const std::string& name : names) {
    std::printf("  %s\n", name.c_str());
    for (const Run& run : runs) std::printf("    %-24s %s\n", run.name.c_str(), run.settings.at(name).c_str());
  }
}

/// Notes where pictures that judge one run may have trained another.
void tell_other_data(const std::vector<Run>& runs, const Options& o, double validation_part, bool is_split,
                     RunListener& listener) {
  for (const Run& run : runs) {
    const RunSource source = source_of_run(run.model);
    if (!source.data) continue;
    if (!is_own_data(source, o.data))
      listener.note(run.name + " was trained on " + *source.data + ", not on " + o.data +
                    ": pictures that are in both may have trained it");
    else if (!is_split && (source.seed.value_or(0) != o.common.seed ||
                           source.validation_part.value_or(kValidationPart) != validation_part))
      listener.note(run.name +
                    " was trained with another seed or --val-split, and the data is not split: pictures that judge it "
                    "here may have trained it");
  }
}

void compare_runs(Options o, const CLI::App& finetune) {
  if (!o.pictures_file.empty()) require_writable_place(o.pictures_file);
  if (!o.curves_file.empty()) require_writable_place(o.curves_file);
  const std::vector<std::string> names = short_names(o.runs);
  std::vector<Run> runs;
  for (size_t i = 0; i < o.runs.size(); ++i) {
    const std::string model = is_model_reference(o.runs[i]) ? local_model(o.runs[i], o.common) : model_in(o.runs[i]);
    runs.push_back({names[i], model, settings_of_run(model), {}, {}});
  }
  RunSource source;  // of the first that knows its data
  for (const Run& run : runs)
    if (!source.data) source = source_of_run(run.model);
  double validation_part = kValidationPart;
  if (o.data.empty() && !source.data)
    throw Error("no labelled pictures are named", "--data names them; a RUN folder knows its own").about("data");
  if (is_own_data(source, o.data)) {
    o.data = *source.data;  // split as the first run's was
    validation_part = source.validation_part.value_or(validation_part);
    o.common.seed = source.seed.value_or(o.common.seed);
  }
  std::vector<Model> models;
  for (const Run& run : runs) {
    models.push_back(Model::load(run.model));
    if (models.back().task() != models[0].task())
      throw Error(run.name + " has another task than " + runs[0].name, "compare models of the same task");
  }
  for (size_t i = 0; i < runs.size(); ++i) take_training(runs[i], models[i]);
  std::vector<SettingsTable> tables = tables_of(runs);
  complete_settings(tables, finetune);
  for (size_t i = 0; i < runs.size(); ++i) runs[i].settings = std::move(tables[i]);
  const Task task = models[0].task();
  Dataset data = read_dataset(o.data, task, {validation_part, o.common.seed, false});
  const bool is_split = data.is_split;
  // A run's own data judges it as it did then: by the part that it split off.
  if (data.validation.empty() && (splits_as_training(o.split) || (!is_split && source.data && o.split == "auto"))) {
    data = read_dataset(o.data, task, {validation_part, o.common.seed});
  }
  const DataPart part = chosen_parts(data, o.split, o.data).at(0);
  open_device_for(o);
  RunListener listener(o.common.quiet);
  tell_notes(data, o.common.quiet);
  for (const std::string& reason : data.skipped) listener.skipped(reason);
  tell_other_data(runs, o, validation_part, is_split, listener);
  listener.note("measured on " + std::string(part.split == "all" ? "all" : "the split " + part.split + " of") + " " +
                o.data + ": " + std::to_string(part.files.size()) + " pictures");
  for (size_t i = 0; i < runs.size(); ++i) {
    runs[i].part = {runs[i].name, part.files,
                    evaluate(models[i], part.files, data.classes, run_settings(models[i], o), &listener)};
    if (i > 0) runs[i].against_first = compare(runs[0].part.evaluation, runs[i].part.evaluation, part.files);
  }
  if (!o.curves_file.empty()) write_curves(o.curves_file, runs, task);
  if (!o.pictures_file.empty()) write_differences(o.pictures_file, runs);
  const Account account{static_cast<size_t>(runs[0].part.evaluation.pictures), listener.unreadable(), data.ignored};
  if (!o.common.json) {
    std::vector<EvaluatedPart> columns;
    for (const Run& run : runs) columns.push_back(run.part);
    print_columns(columns);
    for (size_t i = 1; i < runs.size(); ++i) print_difference(runs[i], runs[0], task);
    print_settings(runs);
    std::fflush(stdout);
    tell_account(account, o.common.quiet);
    return;
  }
  json all = json::array(), settings = json::array();
  for (size_t i = 0; i < runs.size(); ++i) {
    json one{{"run", runs[i].name}, {"model", runs[i].model}, {"figures", app::to_json(runs[i].part, 0)}};
    if (i > 0) {
      const Comparison& c = runs[i].against_first;
      json differ = json::array();
      for (const size_t file : c.differ) differ.push_back(part.files[file].path);
      one["against_first"] = {
          {"pictures", c.pictures}, {"score_difference", to_json(c.score)},   {"loss_difference", to_json(c.loss)},
          {"differ", differ},       {"only_first_right", c.only_first_right}, {"only_this_right", c.only_second_right}};
    }
    all.push_back(std::move(one));
  }
  for (const std::string& name : settings_that_differ(tables_of(runs))) {
    json values = json::array();
    for (const Run& run : runs) values.push_back(run.settings.at(name));
    settings.push_back({{"setting", name}, {"values", values}});
  }
  print_json({{"runs", all},
              {"settings", settings},
              {"split", part.split},
              {"pictures", account.pictures},
              {"notes", listener.notes()},
              {"unreadable", account.unreadable},
              {"not_pictures", account.ignored}});
  tell_account(account, true);
}

}  // namespace

void register_compare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("compare", "Say how runs differ: settings, figures, pictures, and what is chance");
  command->footer(examples({"graft compare run1 run2 run3 --curves curves.svg",
                            "graft compare run1 old.onnx --data photos/test --pictures differences.csv"}));
  add_device_options(*command, o->common);
  add_batch_option(*command, o->common);
  add_seed_option(*command, o->common, "Seed of the split, where the data is not split and no run says it");
  add_output_options(*command, o->common);
  add_picture_options(*command, o->pictures);
  command->add_option("runs", o->runs, "RUN folders or models, two or more; the others are held against the first")
      ->required()
      ->expected(2, 50);
  command->add_option("--data", o->data,
                      "Labelled pictures to judge by, as evaluate takes them (default: the first run's own)");
  command->add_option("--split", o->split, "auto | test | val | train | all")
      ->transform(one_of({"auto", "test", "val", "train", "all"}))
      ->capture_default_str();
  command->add_option("--curves", o->curves_file, "Draw the validation curves of the runs: .svg")
      ->check(ends_in({".svg"}))
      ->type_name("FILE");
  command->add_option("--pictures", o->pictures_file, "Write the pictures that are answered differently: .csv")
      ->check(ends_in({".csv"}))
      ->type_name("FILE");
  command->callback([o, &app] { compare_runs(*o, *app.get_subcommand("finetune")); });
}

}  // namespace graft::app
