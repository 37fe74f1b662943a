#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/classifier.h"
#include "apps/commands/commands.h"
#include "augment/dataset.h"
#include "finetune/data/task.h"
#include "finetune/metrics/metrics.h"
#include "finetune/metrics/score_table.h"
#include "finetune/metrics/target_metrics.h"
#include "importer/reader.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options : PictureModelOptions {
  std::string data, split = "val";
  double validation_part = 0.2;
};

/// The model's output for each class of the data: by name where the model knows names, otherwise by position.
std::vector<int> match_classes(const Dataset& data, const Metadata& metadata, size_t outputs) {
  std::vector<int> index;
  for (size_t i = 0; i < data.classes.size(); ++i) {
    if (metadata.labels.empty()) {
      index.push_back(static_cast<int>(i));
      continue;
    }
    const auto it = std::find(metadata.labels.begin(), metadata.labels.end(), data.classes[i]);
    if (it == metadata.labels.end())
      throw Error("the model knows no class \"" + data.classes[i] + "\"", "is this the right model for this data?");
    index.push_back(static_cast<int>(it - metadata.labels.begin()));
  }
  if (metadata.labels.empty() && data.classes.size() != outputs) {
    throw Error("the model has " + std::to_string(outputs) + " outputs and no class names, the data has " +
                    std::to_string(data.classes.size()) + " classes",
                "is this the right model for this data?");
  }
  return index;
}

json to_json(const Metrics& m, const ScoreTable& table, const std::vector<std::string>& classes, size_t skipped) {
  json confusion = json::array(), per_class = json::array();
  for (int t = 0; t < m.classes(); ++t) {
    json row = json::array();
    int64_t images = 0;
    for (int p = 0; p < m.classes(); ++p) {
      row.push_back(m.confusion(t, p));
      images += m.confusion(t, p);
    }
    confusion.push_back(row);
    per_class.push_back({{"class", classes[static_cast<size_t>(t)]},
                         {"images", images},
                         {"precision", m.precision(t)},
                         {"recall", m.recall(t)},
                         {"f1", m.f1(t)}});
  }
  const auto [low, high] = table.accuracy_interval();
  const double temperature = table.best_temperature();
  json result{{"images", m.count()},
              {"top1", m.top1()},
              {"top1_interval", {low, high}},
              {"top5", m.top5()},
              {"loss", m.loss()},
              {"calibration_error", m.calibration_error()},
              {"temperature", temperature},
              {"loss_at_temperature", table.loss(temperature)},
              {"calibration_error_at_temperature", table.calibration_error(temperature)},
              {"skipped", skipped},
              {"classes", classes},
              {"confusion", confusion},
              {"per_class", per_class}};
  if (m.classes() == 2) result["roc_auc"] = table.roc_auc();
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

std::vector<Item> chosen_items(const Dataset& data, const std::string& split) {
  std::vector<Item> items = split == "val" ? data.validation : data.train;
  if (split == "all") items.insert(items.end(), data.validation.begin(), data.validation.end());
  return items;
}

std::vector<std::string> paths_of(const std::vector<Item>& items) {
  std::vector<std::string> paths;
  for (const Item& item : items) paths.push_back(item.path);
  return paths;
}

/// Models with several labels a picture, or measured values.
void evaluate_targets(const Options& o, Model model, Task task) {
  const Preprocessing preprocessing = resolve_preprocessing(model, o.pictures, o.common);
  const Dataset data = read_dataset(o.data, o.validation_part, o.common.seed,
                                    task == Task::regression ? Labelling::values : Labelling::multi_label);
  if (!model.metadata.labels.empty() && model.metadata.labels != data.classes)
    throw Error("the model knows other labels than the data has", "is this the right model for this data?");
  const auto items = chosen_items(data, o.split);
  PictureRunner runner(std::move(model), preprocessing, o.common, items.size());
  if (runner.width() != data.classes.size())
    throw Error("the model has " + std::to_string(runner.width()) + " outputs, the data " +
                    std::to_string(data.classes.size()) + " labels",
                "is this the right model for this data?");
  TargetMetrics metrics(runner.width());
  const int counts = 0;
  const size_t skipped = runner.run("evaluate", paths_of(items), [&](size_t i, std::span<const float> row) {
    metrics.add(row, {&counts, 1}, items[i].target);
  });
  json result{{"task", name_of(task)}, {"images", metrics.count()}, {"skipped", skipped}, {"classes", data.classes}};
  if (task == Task::multi_label) {
    result["map"] = metrics.mean_average_precision();
    result["exact"] = metrics.exact_match();
  } else {
    result["r2"] = metrics.r2();
    result["mae"] = metrics.mean_absolute_error();
    result["rmse"] = metrics.root_mean_squared_error();
  }
  if (o.common.json)
    std::cout << result.dump(-1, ' ', false, json::error_handler_t::replace) << "\n";
  else if (task == Task::multi_label)
    std::printf("%lld pictures   mean average precision %.2f %%   every label right %.2f %%\n",
                static_cast<long long>(metrics.count()), metrics.mean_average_precision() * 100,
                metrics.exact_match() * 100);
  else
    std::printf("%lld pictures   R² %.4f   mean absolute error %.4g   root mean squared error %.4g\n",
                static_cast<long long>(metrics.count()), metrics.r2(), metrics.mean_absolute_error(),
                metrics.root_mean_squared_error());
}

void evaluate(const Options& o) {
  Model model = read_model(o.model);
  const Task task = model.metadata.task.empty() ? Task::classes : task_named(model.metadata.task);
  if (task != Task::classes) return evaluate_targets(o, std::move(model), task);
  const Preprocessing preprocessing = resolve_preprocessing(model, o.pictures, o.common);
  const Dataset data = read_dataset(o.data, o.validation_part, o.common.seed);
  const auto items = chosen_items(data, o.split);
  const auto paths = paths_of(items);
  const Metadata metadata = model.metadata;
  const bool probabilities = ends_in_softmax(model.graph);
  PictureRunner runner(std::move(model), preprocessing, o.common, paths.size());
  const auto target = match_classes(data, metadata, runner.width());
  std::vector<std::string> names;
  for (size_t i = 0; i < runner.width(); ++i)
    names.push_back(i < data.classes.size() && metadata.labels.empty() ? data.classes[i]
                                                                       : class_name(metadata, static_cast<int>(i)));
  Metrics metrics(static_cast<int>(runner.width()));
  ScoreTable table(runner.width());
  std::vector<float> scores;
  const size_t skipped = runner.run("evaluate", paths, [&](size_t i, std::span<const float> row) {
    scores.assign(row.begin(), row.end());
    if (probabilities)  // back to logits, which Metrics expects
      for (float& v : scores) v = std::log(std::max(v, 1e-30f));
    const int label = target[static_cast<size_t>(items[i].label)];
    metrics.add(scores, {&label, 1});
    table.add(scores, label);
  });
  const json result = to_json(metrics, table, names, skipped);
  if (o.common.json)
    std::cout << result.dump(-1, ' ', false, json::error_handler_t::replace) << "\n";
  else
    print(result);
}

}  // namespace

void register_evaluate(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("evaluate", "Measure a classifier on labelled pictures");
  add_picture_model(*command, *o);
  command->add_option("data", o->data, "Folder of train/CLASS and val/CLASS, folder of CLASS, or CSV")->required();
  command->add_option("--split", o->split, "val | train | all")
      ->check(CLI::IsMember({"val", "train", "all"}))
      ->capture_default_str();
  command
      ->add_option("--val-split", o->validation_part, "Part of each class that validates, where the data is not split")
      ->check(CLI::Range(0.01, 0.9))
      ->capture_default_str();
  command->callback([o] { evaluate(*o); });
}

}  // namespace graft::app
