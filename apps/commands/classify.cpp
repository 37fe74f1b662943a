#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/classifier.h"
#include "apps/commands/commands.h"
#include "augment/dataset.h"
#include "finetune/data/task.h"
#include "finetune/metrics/metrics.h"
#include "importer/reader.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options : PictureModelOptions {
  std::string format = "text", labels;
  std::vector<std::string> inputs;
  size_t top = 5;
};

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

/// Prints results as they come, or keeps them for --json.
class Report {
 public:
  Report(const Options& options, const Metadata& metadata, Task task)
      : options_(options), metadata_(metadata), task_(task) {
    if (options.format == "csv" && !options.common.json) std::cout << "path,label,index,score,error\n";
  }
  void row(const std::string& path, std::span<const float> probabilities) {
    // Measured values stand in their own order.
    auto best = top_indices(probabilities, task_ == Task::regression ? probabilities.size() : options_.top);
    if (task_ == Task::regression) std::sort(best.begin(), best.end());
    json top = json::array();
    for (int i : best)
      top.push_back(
          {{"label", class_name(metadata_, i)}, {"index", i}, {"score", probabilities[static_cast<size_t>(i)]}});
    const json entry{{"path", path},
                     {"label", top[0]["label"]},
                     {"index", best[0]},
                     {"score", probabilities[static_cast<size_t>(best[0])]},
                     {"top", top}};
    if (options_.common.json)
      results_.push_back(entry);
    else if (options_.format == "jsonl")
      std::cout << dump(entry) << "\n";
    else if (options_.format == "csv")
      std::cout << csv_field(path) << ',' << csv_field(class_name(metadata_, best[0])) << ',' << best[0] << ','
                << probabilities[static_cast<size_t>(best[0])] << ",\n";
    else
      text(path, top);
  }
  void failed(const std::string& path, const std::string& reason) {
    const json entry{{"path", path}, {"error", reason}};
    if (options_.common.json)
      results_.push_back(entry);
    else if (options_.format == "jsonl")
      std::cout << dump(entry) << "\n";
    else if (options_.format == "csv")
      std::cout << csv_field(path) << ",,,," << csv_field(reason) << "\n";
    else
      std::cout << path << ": error: cannot be read\n";
  }
  void finish(size_t skipped) {
    if (options_.common.json) std::cout << dump({{"results", results_}, {"skipped", skipped}}) << "\n";
  }

 private:
  void text(const std::string& path, const json& top) const {
    std::cout << path << ":";
    for (size_t i = 0; i < top.size(); ++i) {
      char score[16];
      if (task_ == Task::regression)
        std::snprintf(score, sizeof score, "%.4g", top[i]["score"].get<double>());
      else
        std::snprintf(score, sizeof score, "%.1f %%", top[i]["score"].get<double>() * 100);
      std::cout << (i == 0 ? " " : ", ") << top[i]["label"].get<std::string>() << " " << score;
    }
    std::cout << "\n";
  }
  const Options& options_;
  const Metadata& metadata_;
  Task task_;
  json results_ = json::array();
};

void classify(const Options& o) {
  Model model = read_model(o.model);
  if (!o.labels.empty()) model.metadata.labels = read_lines(o.labels);
  const Preprocessing preprocessing = resolve_preprocessing(model, o.pictures, o.common);
  const auto paths = list_pictures(o.inputs);
  if (paths.empty()) throw Error("no pictures were given", "name files, folders or globs");
  const bool probabilities = ends_in_softmax(model.graph);
  const Metadata metadata = model.metadata;
  const Task task = metadata.task.empty() ? Task::classes : task_named(metadata.task);
  PictureRunner runner(std::move(model), preprocessing, o.common, paths.size());
  Report report(o, metadata, task);
  std::vector<float> scores;
  const size_t skipped = runner.run(
      "classify", paths,
      [&](size_t i, std::span<const float> row) {
        scores.assign(row.begin(), row.end());
        if (task == Task::multi_label)
          for (float& v : scores) v = 1 / (1 + std::exp(-v));
        else if (task == Task::classes && !probabilities)
          softmax_rows(scores, scores.size());
        report.row(paths[i], scores);
      },
      [&](size_t i, const std::string& reason) { report.failed(paths[i], reason); });
  report.finish(skipped);
}

}  // namespace

void register_classify(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("classify", "Name what pictures show");
  add_picture_model(*command, *o);
  command->add_option("inputs", o->inputs, "Pictures, folders, globs, or - for a list on standard input")->required();
  command->add_option("--format", o->format, "text | csv | jsonl")
      ->check(CLI::IsMember({"text", "csv", "jsonl"}))
      ->capture_default_str();
  command->add_option("--labels", o->labels, "Class names, one a line, instead of the model's own");
  command->add_option("--top", o->top, "Classes to name for each picture")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->callback([o] { classify(*o); });
}

}  // namespace graft::app
