#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/account.h"
#include "apps/commands/commands.h"
#include "apps/common.h"
#include "apps/csv.h"
#include "apps/library/read_lines.h"
#include "apps/run_listener.h"
#include "apps/usage.h"
#include "graft/classifier.h"
#include "graft/dataset.h"
#include "graft/error.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options : PictureModelOptions {
  std::string format = "text", labels;
  std::vector<std::string> inputs;
  size_t top = 5;
  bool top_given = false;
};

std::string dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

/// Prints results as they come, or keeps them for --json.
class Report {
 public:
  Report(const Options& options, const std::vector<std::string>& labels, Task task)
      : options_(options), labels_(labels), task_(task) {
    if (options.format == "csv" && !options.common.json) std::cout << "path,label,index,score,error\n";
  }
  void row(const std::string& path, std::span<const float> probabilities) {
    if (!options_.labels.empty() && probabilities.size() > 1 && labels_.size() != probabilities.size())
      throw Error(options_.labels + ": names " + std::to_string(labels_.size()) + " classes, the model has " +
                      std::to_string(probabilities.size()),
                  "give a line for each of them");
    const std::vector<Score> best = best_scores(probabilities, task_, labels_, options_.top);
    const Score& first = best[0];
    json top = json::array();
    for (const Score& s : best) top.push_back({{"label", s.label}, {"index", s.index}, {"score", s.score}});
    const json entry{
        {"path", path}, {"label", first.label}, {"index", first.index}, {"score", first.score}, {"top", top}};
    if (options_.common.json)
      results_.push_back(entry);
    else if (options_.format == "jsonl")
      std::cout << dump(entry) << "\n";
    else if (options_.format == "csv")
      csv(path, best);
    else
      text(path, best);
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
  void finish(const Account& account, const std::vector<std::string>& notes) {
    if (options_.common.json)
      std::cout << dump({{"results", results_},
                         {"notes", notes},
                         {"skipped", account.unreadable.size()},
                         {"unreadable", account.unreadable},
                         {"not_pictures", account.ignored}})
                << "\n";
  }

 private:
  /// A row for each value; of classes for the best, or for as many as --top says.
  void csv(const std::string& path, const std::vector<Score>& top) const {
    const size_t rows = task_ == Task::regression || options_.top_given ? top.size() : 1;
    for (size_t i = 0; i < rows; ++i)
      std::cout << csv_field(path) << ',' << csv_field(top[i].label) << ',' << top[i].index << ',' << top[i].score
                << ",\n";
  }
  void text(const std::string& path, const std::vector<Score>& top) const {
    std::cout << path << ":";
    for (size_t i = 0; i < top.size(); ++i) {
      char score[16];
      if (task_ == Task::regression)
        std::snprintf(score, sizeof score, "%.4g", static_cast<double>(top[i].score));
      else
        std::snprintf(score, sizeof score, "%.1f %%", static_cast<double>(top[i].score) * 100);
      std::cout << (i == 0 ? " " : ", ") << top[i].label << " " << score;
    }
    std::cout << "\n";
  }
  const Options& options_;
  const std::vector<std::string>& labels_;
  Task task_;
  json results_ = json::array();
};

Classifier make_classifier(const Options& o, PictureList& pictures) {
  Model model = Model::load(o.model);
  if (!o.labels.empty()) model.set_labels(read_lines(o.labels));
  RunSettings settings = run_settings(model, o);
  pictures = list_pictures(o.inputs);
  if (pictures.paths.empty()) throw Error("no pictures were given", "name files, folders or globs");
  settings.pictures = pictures.paths.size();
  open_device_for(o);
  return Classifier(model, settings);
}

void classify(const Options& o) {
  PictureList pictures;
  Classifier classifier = make_classifier(o, pictures);
  const std::vector<std::string>& paths = pictures.paths;
  RunListener listener(o.common.quiet);
  for (const std::string& reason : pictures.skipped) listener.skipped(reason);
  Report report(o, classifier.labels(), classifier.task());
  const size_t skipped = classifier.run(
      paths, [&](size_t i, std::span<const float> scores) { report.row(paths[i], scores); },
      [&](size_t i, const std::string& reason) { report.failed(paths[i], reason); }, &listener);
  const Account account{paths.size() - skipped, listener.unreadable(), pictures.ignored};
  report.finish(account, listener.notes());
  tell_account(account, o.common.quiet);
}

}  // namespace

void register_classify(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("classify", "Name what pictures show");
  command->footer(examples({"graft classify model.onnx photos/ --top 3",
                            "graft classify run photo.jpg --format jsonl  # the model of a RUN folder",
                            "find . -name \"*.jpg\" | graft classify zoo:resnet50-v2-7 - --format csv > answers.csv"}));
  add_picture_model(*command, *o);
  command->add_option("inputs", o->inputs, "Pictures, folders, globs, or - for a list on standard input")->required();
  command->add_option("--format", o->format, "text | csv | jsonl")
      ->check(one_of({"text", "csv", "jsonl"}))
      ->capture_default_str();
  command->add_option("--labels", o->labels, "Class names, one a line, instead of the model's own");
  CLI::Option* top = command->add_option("--top", o->top, "Classes to name for each picture (in csv: rows, else one)")
                         ->check(CLI::Range(1, 1000))
                         ->capture_default_str();
  command->callback([o, top] {
    o->top_given = top->count() > 0;
    classify(*o);
  });
}

}  // namespace graft::app
