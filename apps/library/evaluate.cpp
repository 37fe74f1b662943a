#include "graft/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "apps/library/confidence.h"
#include "apps/library/evaluation_figures.h"
#include "apps/library/picture_runner.h"
#include "apps/library/scores.h"
#include "augment/data/file_kinds.h"
#include "finetune/losses/formulas/formula.h"
#include "finetune/metrics/metrics.h"
#include "finetune/metrics/score_table.h"
#include "finetune/metrics/target_metrics.h"
#include "runtime/core/api_boundary.h"

namespace graft {
namespace {

constexpr const char* kWrongModel = "is this the right model for this data?";

/// The model's output for each class of the data: by name where the model knows names, otherwise by position.
std::vector<int> match_classes(const std::vector<std::string>& classes, const std::vector<LabelledFile>& files,
                               const std::vector<std::string>& labels, size_t outputs) {
  if (!labels.empty() && labels.size() != outputs)
    throw Error("there are " + std::to_string(labels.size()) + " class names, and the model has " +
                    std::to_string(outputs) + " outputs",
                "name each of them once");
  if (std::set<std::string>(labels.begin(), labels.end()).size() != labels.size())
    throw Error("two outputs of the model have the same name", "name each of them once");
  std::set<size_t> occurring;  // a class without a picture need not be known
  for (const LabelledFile& file : files) occurring.insert(static_cast<size_t>(file.label));
  std::vector<int> index;
  // Numbers are what outputs are called that have no names: they need not all be there.
  const bool by_number = labels.empty() && std::all_of(classes.begin(), classes.end(), [&](const std::string& name) {
                           const int64_t number = number_of(name);
                           return number >= 0 && number < static_cast<int64_t>(outputs);
                         });
  for (size_t i = 0; i < classes.size(); ++i) {
    if (labels.empty()) {
      index.push_back(static_cast<int>(by_number ? number_of(classes[i]) : static_cast<int64_t>(i)));
      continue;
    }
    const auto it = std::find(labels.begin(), labels.end(), classes[i]);
    if (it == labels.end() && !occurring.contains(i)) {
      index.push_back(-1 - static_cast<int>(i));
      continue;
    }
    if (it == labels.end()) throw Error("the model knows no class \"" + classes[i] + "\"", kWrongModel);
    index.push_back(static_cast<int>(it - labels.begin()));
  }
  if (labels.empty() && !by_number && classes.size() != outputs) {
    throw Error("the model has " + std::to_string(outputs) + " outputs and no class names, the data has " +
                    std::to_string(classes.size()) + " classes",
                kWrongModel);
  }
  const std::set<int> different(index.begin(), index.end());
  if (different.size() != index.size())
    throw Error("two classes of the data are the same output of the model", kWrongModel);
  if (std::any_of(index.begin(), index.end(), [&](int i) { return i >= static_cast<int>(outputs); }))
    throw Error(
        "the model has " + std::to_string(outputs) + " outputs and " + std::to_string(labels.size()) + " class names",
        kWrongModel);
  return index;
}

std::vector<std::string> paths_of(const std::vector<LabelledFile>& files) {
  std::vector<std::string> paths;
  for (const LabelledFile& file : files) paths.push_back(file.path);
  return paths;
}

/// Files that the caller labelled himself may be labelled wrongly.
void check_labels(const std::vector<LabelledFile>& files, const std::vector<std::string>& classes, Task task) {
  for (const LabelledFile& file : files) {
    const bool fits = task == Task::classes ? file.label >= 0 && static_cast<size_t>(file.label) < classes.size()
                                            : file.target.size() == classes.size();
    if (!fits)
      throw Error(file.path + ": its label does not fit the " + std::to_string(classes.size()) + " classes", {},
                  ErrorCode::bad_data);
  }
}

/// What softmax took from the scores; a probability that float32 rounds to nothing counts as its smallest number.
double log_probability(float p) {
  return std::log(static_cast<double>(std::max(p, std::numeric_limits<float>::denorm_min())));
}

Prediction class_prediction(size_t file, std::span<const float> scores, int truth) {
  const double sum = formulas::log_sum_exp(scores, Row{});
  const auto log_p = [&](size_t i) { return static_cast<double>(scores[i]) - sum; };
  const auto t = static_cast<size_t>(truth);
  const auto best = static_cast<size_t>(top_indices(scores, 1)[0]);
  Prediction p{.file = file, .truth = truth, .answer = static_cast<int>(best)};
  for (size_t i = 0; i < scores.size(); ++i) p.rank += scores[i] > scores[t] || (scores[i] == scores[t] && i < t);
  p.score = static_cast<float>(std::exp(log_p(best)));
  p.truth_score = static_cast<float>(std::exp(log_p(t)));
  p.loss = -log_p(t);
  return p;
}

/// `scores`: logits of labels, or measured values.
Prediction target_prediction(size_t file, std::span<const float> scores, std::span<const float> targets, Task task) {
  Prediction p{.file = file, .values = {scores.begin(), scores.end()}};
  double sum = 0;
  for (size_t k = 0; k < scores.size(); ++k) {
    const auto s = static_cast<double>(scores[k]), t = static_cast<double>(targets[k]);
    // Binary cross-entropy of the logit: log(1 + e^s) - ts, without overflow.
    sum +=
        task == Task::multi_label ? std::max(s, 0.0) + std::log1p(std::exp(-std::fabs(s))) - t * s : (s - t) * (s - t);
    if (task == Task::multi_label) p.values[k] = static_cast<float>(1 / (1 + std::exp(-s)));
  }
  p.loss = sum / static_cast<double>(scores.size());
  return p;
}

/// One class a picture.
void evaluate_classes(const Model& model, const std::vector<LabelledFile>& files,
                      const std::vector<std::string>& classes, const RunSettings& settings, Listener* listener,
                      Evaluation& result) {
  const std::vector<std::string>& labels = model.labels();
  const std::string scores_name = scores_before_softmax(model.contents().graph);
  PictureRunner runner(model.contents(), settings, scores_name);
  const auto target = match_classes(classes, files, labels, runner.width());
  for (size_t i = 0; i < runner.width(); ++i) result.classes.push_back(output_label(labels, static_cast<int>(i)));
  if (labels.empty())
    for (size_t i = 0; i < classes.size(); ++i) result.classes[static_cast<size_t>(target[i])] = classes[i];
  const bool probabilities = scores_name.empty() && ends_in_probabilities(model.contents().graph);
  const double temperature = temperature_of(model.contents());
  Metrics metrics(static_cast<int>(runner.width()));
  ScoreTable table(runner.width());
  std::vector<float> scores;
  size_t impossible = 0;
  runner.run(
      "evaluate", paths_of(files),
      [&](size_t i, std::span<const float> row, std::span<const float>) {
        scores.assign(row.begin(), row.end());
        const int label = target[static_cast<size_t>(files[i].label)];
        if (probabilities) {  // back to logits, which Metrics expects
          impossible += row[static_cast<size_t>(label)] == 0;
          for (float& v : scores) v = static_cast<float>(log_probability(v));
        }
        if (temperature != 1)
          for (float& v : scores) v = static_cast<float>(static_cast<double>(v) / temperature);
        metrics.add(scores, {&label, 1});
        table.add(scores, label);
        result.predictions.push_back(class_prediction(i, scores, label));
      },
      [&](size_t i, const std::string& reason) {
        result.skipped.push_back({i, reason});
      },
      listener);
  if (impossible > 0 && listener)
    listener->note("note: the model gives " + std::to_string(impossible) +
                   (impossible == 1 ? " picture's" : " pictures'") +
                   " true class a probability of 0: its logarithm, which the loss is made of, is taken as -103");
  result.pictures = metrics.count();
  if (result.pictures > 0) result.of_classes = class_figures(metrics, table, result.predictions);
}

/// Several labels a picture, or measured values.
void evaluate_targets(const Model& model, const std::vector<LabelledFile>& files,
                      const std::vector<std::string>& classes, const RunSettings& settings, Listener* listener,
                      Evaluation& result) {
  if (!model.labels().empty() && model.labels() != classes)
    throw Error("the model knows other labels than the data has", kWrongModel);
  PictureRunner runner(model.contents(), settings);
  if (runner.width() != classes.size())
    throw Error("the model has " + std::to_string(runner.width()) + " outputs, the data " +
                    std::to_string(classes.size()) + " labels",
                kWrongModel);
  result.classes = classes;
  const bool probabilities = result.task == Task::multi_label && ends_in_probabilities(model.contents().graph);
  TargetMetrics metrics(runner.width());
  const int counts = 0;
  std::vector<float> scores;
  runner.run(
      "evaluate", paths_of(files),
      [&](size_t i, std::span<const float> row, std::span<const float>) {
        scores.assign(row.begin(), row.end());
        if (probabilities)
          for (float& v : scores) v = static_cast<float>(log_probability(v) - log_probability(1 - v));
        metrics.add(scores, {&counts, 1}, files[i].target);
        result.predictions.push_back(target_prediction(i, scores, files[i].target, result.task));
      },
      [&](size_t i, const std::string& reason) {
        result.skipped.push_back({i, reason});
      },
      listener);
  result.pictures = metrics.count();
  if (result.task == Task::multi_label)
    result.of_labels = label_figures(metrics, thresholds_of(model.contents(), runner.width()));
  else
    result.of_values = value_figures(metrics);
}

}  // namespace

Evaluation evaluate(const Model& model, const std::vector<LabelledFile>& files, const std::vector<std::string>& classes,
                    const RunSettings& settings, Listener* listener) {
  return at_api_boundary([&] {
    Evaluation result;
    result.task = model.task();
    if (files.empty()) throw Error("there are no pictures to evaluate on", {}, ErrorCode::bad_data);
    check_labels(files, classes, result.task);
    RunSettings known = settings;
    known.pictures = files.size();
    (result.task == Task::classes ? evaluate_classes : evaluate_targets)(model, files, classes, known, listener,
                                                                         result);
    if (result.pictures == 0)
      throw Error("none of the " + std::to_string(files.size()) + " pictures can be read",
                  "check the files named above", ErrorCode::bad_data);
    return result;
  });
}

Evaluation evaluate(const Model& model, const Dataset& dataset, const RunSettings& settings, Listener* listener) {
  const std::vector<LabelledFile>& files = !dataset.test.empty()         ? dataset.test
                                           : !dataset.validation.empty() ? dataset.validation
                                                                         : dataset.train;
  return evaluate(model, files, dataset.classes, settings, listener);
}

}  // namespace graft
