#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/account.h"
#include "apps/commands/commands.h"
#include "apps/common.h"
#include "apps/run_listener.h"
#include "finetune/data/task.h"
#include "graft/error.h"
#include "graft/evaluate.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options : PictureModelOptions {
  std::string data, split = "auto";
  double validation_part = 0.2;
};

json to_json(const Evaluation& e) {
  const ClassFigures& f = *e.of_classes;
  const size_t classes = f.per_class.size();
  json confusion = json::array(), per_class = json::array();
  for (size_t t = 0; t < classes; ++t) {
    json row = json::array();
    for (size_t p = 0; p < classes; ++p) row.push_back(f.confusion[t * classes + p]);
    confusion.push_back(row);
    const ClassFigures::OfClass& of = f.per_class[t];
    per_class.push_back({{"class", e.classes[t]},
                         {"images", of.pictures},
                         {"precision", of.precision},
                         {"recall", of.recall},
                         {"f1", of.f1}});
  }
  json result{{"images", e.pictures},
              {"top1", f.top1},
              {"top1_interval", {f.top1_low, f.top1_high}},
              {"top5", f.top5},
              {"loss", f.loss},
              {"calibration_error", f.calibration_error},
              {"temperature", f.temperature},
              {"loss_at_temperature", f.loss_at_temperature},
              {"calibration_error_at_temperature", f.calibration_error_at_temperature},
              {"skipped", e.skipped.size()},
              {"classes", e.classes},
              {"confusion", confusion},
              {"per_class", per_class}};
  if (f.roc_auc) result["roc_auc"] = *f.roc_auc;
  return result;
}

/// Of models with several labels a picture, or measured values.
json targets_json(const Evaluation& e) {
  json result{{"task", name_of(e.task)}, {"images", e.pictures}, {"skipped", e.skipped.size()}, {"classes", e.classes}};
  if (e.of_labels) {
    result["map"] = e.of_labels->mean_average_precision;
    result["exact"] = e.of_labels->exact;
  } else {
    result["r2"] = e.of_values->r2;
    result["mae"] = e.of_values->mean_absolute_error;
    result["rmse"] = e.of_values->root_mean_squared_error;
  }
  return result;
}

void print(const json& j) {
  const auto number = [&](const char* key) { return j[key].get<double>(); };
  std::printf("%lld pictures   top-1 %.2f %% (95 %% interval %.2f to %.2f)   top-5 %.2f %%",
              j["images"].get<long long>(), number("top1") * 100, j["top1_interval"][0].get<double>() * 100,
              j["top1_interval"][1].get<double>() * 100, number("top5") * 100);
  if (j.contains("roc_auc")) std::printf("   ROC AUC %.4f", number("roc_auc"));
  std::printf("\nloss %.4f   calibration error %.4f   at temperature %.3f: loss %.4f, calibration error %.4f\n\n",
              number("loss"), number("calibration_error"), number("temperature"), number("loss_at_temperature"),
              number("calibration_error_at_temperature"));
  std::printf("%-24s %8s %10s %8s %8s\n", "class", "pictures", "precision", "recall", "F1");
  for (const auto& c : j["per_class"]) {
    std::printf("%-24s %8lld %10.3f %8.3f %8.3f\n", c["class"].get<std::string>().c_str(), c["images"].get<long long>(),
                c["precision"].get<double>(), c["recall"].get<double>(), c["f1"].get<double>());
  }
  if (j["classes"].size() > 20) return;
  std::printf("\nconfusion (rows: true class)\n");
  for (const auto& row : j["confusion"]) {
    for (const auto& n : row) std::printf("%6lld", n.get<long long>());
    std::printf("\n");
  }
}

void print_targets(const Evaluation& e) {
  const auto pictures = static_cast<long long>(e.pictures);
  if (e.of_labels)
    std::printf("%lld pictures   mean average precision %.2f %%   every label right %.2f %%\n", pictures,
                e.of_labels->mean_average_precision * 100, e.of_labels->exact * 100);
  else
    std::printf("%lld pictures   R² %.4f   mean absolute error %.4g   root mean squared error %.4g\n", pictures,
                e.of_values->r2, e.of_values->mean_absolute_error, e.of_values->root_mean_squared_error);
}

struct Chosen {
  std::string split;  // what it is
  std::vector<LabelledFile> files;
};

/// What --split says; by itself the pictures for testing, where there are none those that validate, else all.
Chosen chosen_files(const Dataset& data, const Options& o) {
  if (o.split == "auto") {
    if (!data.test.empty()) return {data.is_split ? "test" : "all", data.test};
    return data.validation.empty() ? Chosen{"train", data.train} : Chosen{"val", data.validation};
  }
  Chosen chosen{o.split, o.split == "train"  ? data.train
                         : o.split == "test" ? data.test
                         : o.split == "val"  ? data.validation
                                             : std::vector<LabelledFile>{}};
  if (o.split == "all")
    for (const auto* part : {&data.train, &data.validation, &data.test})
      chosen.files.insert(chosen.files.end(), part->begin(), part->end());
  if (chosen.files.empty() || (o.split == "test" && !data.is_split))
    throw Error(o.data + ": has no pictures in the split " + o.split, "leave --split out", ErrorCode::bad_data);
  return chosen;
}

void evaluate(const Options& o) {
  const Model model = Model::load(o.model);
  const Task task = model.task();
  const RunSettings settings = run_settings(model, o);
  // Parts that the data does not tell apart are made as training makes them.
  const bool as_trained = o.split == "val" || o.split == "train";
  Dataset data = read_dataset(o.data, task, {o.validation_part, o.common.seed, false});
  if (data.validation.empty() && as_trained) data = read_dataset(o.data, task, {o.validation_part, o.common.seed});
  const Chosen chosen = chosen_files(data, o);
  open_device_for(o);
  RunListener listener(o.common.quiet);
  tell_notes(data, o.common.quiet);
  for (const std::string& reason : data.skipped) listener.skipped(reason);
  listener.note("measured on " + std::string(chosen.split == "all" ? "all" : "the split " + chosen.split + " of") +
                " " + o.data + ": " + std::to_string(chosen.files.size()) +
                (chosen.files.size() == 1 ? " picture" : " pictures"));
  const Evaluation result = evaluate(model, chosen.files, data.classes, settings, &listener);
  const Account account{static_cast<size_t>(result.pictures), listener.unreadable(), data.ignored};
  tell_account(account, o.common.quiet);
  json figures = task == Task::classes ? to_json(result) : targets_json(result);
  figures["split"] = chosen.split;
  figures["views"] = o.views.empty() ? "center" : o.views;
  figures["notes"] = listener.notes();
  figures["unreadable"] = account.unreadable;
  figures["not_pictures"] = account.ignored;
  if (o.common.json)
    std::cout << figures.dump(-1, ' ', false, json::error_handler_t::replace) << "\n";
  else if (task == Task::classes)
    print(figures);
  else
    print_targets(result);
}

}  // namespace

void register_evaluate(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("evaluate", "Measure a classifier on labelled pictures");
  add_picture_model(*command, *o);
  command
      ->add_option("data", o->data,
                   "Folder of train, val and test with CLASS in each, folder of CLASS, or table (CSV, TSV, JSON lines)")
      ->required();
  command
      ->add_option("--split", o->split,
                   "auto | test | val | train | all; auto: test where there is one, else val, else everything")
      ->check(CLI::IsMember({"auto", "test", "val", "train", "all"}))
      ->capture_default_str();
  command
      ->add_option("--val-split", o->validation_part, "Part of each class that validates, where the data is not split")
      ->check(CLI::Range(0.01, 0.9))
      ->capture_default_str();
  command->callback([o] { evaluate(*o); });
}

}  // namespace graft::app
