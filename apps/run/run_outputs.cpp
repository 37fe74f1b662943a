#include "apps/run/run_outputs.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/drawing/html.h"
#include "apps/report/report.h"
#include "apps/run/mlflow.h"
#include "apps/run/run_folder.h"
#include "finetune/data/task.h"
#include "graft/error.h"
#include "graft/feature_extractor.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;

void add_events(const FinetuneOptions& o, const Dataset& data, const FinetuneReport& report, EventFile& events,
                Listener& listener) {
  constexpr size_t kPictures = 500, kMistakes = 12;
  const Model& model = *report.result.model;
  const int64_t step = report.result.history.empty() ? 0 : report.result.history.back().epoch;
  events.weights(step, model);
  RunSettings run;
  run.compute = compute_settings(o.common);
  std::vector<LabelledFile> files = data.validation;
  if (files.size() > kPictures) {
    listener.note("TensorBoard gets the features of the first " + std::to_string(kPictures) + " validation pictures");
    files.resize(kPictures);
  }
  const Evaluation evaluation = evaluate(model, files, data.classes, run, &listener);
  size_t shown = 0;
  for (const Prediction* p : worst_first(evaluation)) {
    if (shown == kMistakes) break;
    const auto picture = small_picture(files[p->file].path, 256);
    if (!picture) continue;
    const std::string answer = evaluation.task == Task::classes
                                   ? data.classes[static_cast<size_t>(files[p->file].label)] + " answered as " +
                                         evaluation.classes[static_cast<size_t>(p->answer)]
                                   : fs::path(files[p->file].path).filename().string();
    events.image(step, "worst/" + std::to_string(++shown) + " " + answer, *picture);
  }
  std::vector<std::string> paths, labels;
  for (const Prediction& p : evaluation.predictions) paths.push_back(files[p.file].path);
  run.pictures = paths.size();
  const Features features = FeatureExtractor(model, kPenultimate, run).extract(paths, &listener);
  paths.clear();
  for (const size_t i : features.indices) {
    const LabelledFile& file = files[evaluation.predictions[i].file];
    paths.push_back(file.path);
    labels.push_back(evaluation.task == Task::classes ? data.classes[static_cast<size_t>(file.label)] : "");
  }
  write_projector(o.output, features.values, features.width, labels, paths);
}

MlflowRun mlflow_run(const FinetuneOptions& o, const FinetuneReport& report) {
  MlflowRun run;
  run.name = fs::path(o.output).filename().string();
  std::istringstream lines(o.config_text);
  for (std::string line; std::getline(lines, line);) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    std::string value = line.substr(equals + 1);
    if (value.size() > 1 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    run.parameters.emplace_back(line.substr(0, equals), value);
  }
  run.history = report.result.history;
  run.score_name = score_names(report.result.task).first;
  for (const char* name : {"model.onnx", "config.toml", "metrics.json", "history.csv"})
    run.artifacts.push_back((fs::path(o.output) / name).string());
  run.seconds = report.seconds;
  run.failed = report.interrupted || !report.result.diverged.empty();
  return run;
}

}  // namespace

std::string config_of_choice(const std::string& config, const std::string& record) {
  std::error_code code;
  if (!fs::exists(record, code)) return config;
  std::istringstream lines(config);
  std::string text;
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("recipe=")) text += line + "\n";
  return text + "recipe=" + nlohmann::json(record).dump() + "\n";
}

void finish_events(const FinetuneOptions& o, const Dataset& data, const FinetuneReport& report, EventFile& events,
                   Listener& listener) {
  try {
    add_events(o, data, report, events, listener);
  } catch (const std::exception& error) {
    listener.note(std::string("TensorBoard's last events are not written: ") + error.what());
  }
}

void write_to_mlflow(const FinetuneOptions& o, const FinetuneReport& report, Listener& listener) {
  try {
    listener.note("mlflow: " + write_mlflow_run(o.mlflow, mlflow_run(o, report)));
  } catch (const std::exception& error) {
    listener.note(std::string("the run is not written for MLflow: ") + error.what());
  }
}

void write_run_report(const FinetuneOptions& o, const std::string& augment, const Dataset& data,
                      const FinetuneReport& report, Listener& listener) {
  const std::string path = (fs::path(o.output) / "report.html").string();
  try {
    const Model& model = *report.result.model;
    ReportSource source;
    source.title = name_of_path(o.data) + ": what " + name_of_path(o.output) + " learnt";
    source.run.compute = compute_settings(o.common);
    source.notes = report.notes;
    const auto add = [&](const std::string& split, const std::vector<LabelledFile>& files) {
      if (!files.empty())
        source.parts.push_back({split, files, evaluate(model, files, data.classes, source.run, &listener)});
    };
    // As many training pictures as validate tell how much better it is on what it has seen.
    std::vector<LabelledFile> some;
    const size_t count = std::min(data.train.size(), data.validation.size());
    for (size_t i = 0; i < count; ++i) some.push_back(data.train[i * data.train.size() / count]);
    if (count < data.train.size())
      source.notes.push_back("the training pictures are measured on " + std::to_string(count) + " of " +
                             std::to_string(data.train.size()) + ", as many as validate");
    add(count < data.train.size() ? "train (" + std::to_string(count) + " of " + std::to_string(data.train.size()) + ")"
                                  : "train",
        some);
    add("val", data.validation);
    if (report.test) source.parts.push_back({"test", data.test, *report.test});
    source.history = report.result.history;
    source.recipe = report.result.recipe;
    source.account = report.account;
    source.config = config_of_choice(o.config_text, (fs::path(o.output) / "auto.csv").string());
    source.command =
        "graft finetune --config " + shell_quoted((fs::path(o.output) / "config.toml").string()) + " --output ANOTHER";
    source.augment = augment;
    source.training = data.train;
    write_report(path, model, source, &listener);
    listener.note("report: " + path);
  } catch (const std::exception& error) {  // also what lies beneath: the run is whole without it
    listener.note(std::string("no report is written: ") + error.what());
  }
}

}  // namespace graft::app
