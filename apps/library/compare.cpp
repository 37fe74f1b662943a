#include "graft/compare.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "finetune/metrics/bootstrap.h"
#include "runtime/core/api_boundary.h"

namespace graft {
namespace {

/// 1 where the picture is right; of measured values their mean absolute error.
double score_of(const Prediction& p, const LabelledFile& file, const Evaluation& e) {
  if (e.task != Task::regression) return is_right(p, file, e);
  double sum = 0;
  for (size_t k = 0; k < p.values.size(); ++k)
    sum += std::fabs(static_cast<double>(p.values[k]) - static_cast<double>(file.target[k]));
  return sum / static_cast<double>(p.values.size());
}

/// Means of pairs' differences, and how they vary from set to set.
std::vector<Difference> differences(const std::vector<std::vector<double>>& of_pictures) {
  const size_t count = of_pictures[0].size();
  const auto intervals = bootstrap_intervals(
      count, of_pictures.size(),
      [&](std::span<const uint32_t> drawn, std::span<double> figures) {
        for (size_t f = 0; f < figures.size(); ++f) {
          double sum = 0;
          for (size_t i = 0; i < count; ++i) sum += drawn[i] * of_pictures[f][i];
          figures[f] = sum / static_cast<double>(count);
        }
      },
      resamples_for(count * of_pictures.size()));
  std::vector<Difference> result;
  for (size_t f = 0; f < of_pictures.size(); ++f) {
    double sum = 0;
    for (const double d : of_pictures[f]) sum += d;
    result.push_back({sum / static_cast<double>(count), {intervals[f].first, intervals[f].second}});
  }
  return result;
}

/// Throws Error where a prediction is none of these files and classes.
void check(const Prediction& p, const std::vector<LabelledFile>& files, const Evaluation& e) {
  const size_t outputs = e.classes.size();
  const bool fits = p.file < files.size() &&
                    (e.task == Task::classes ? p.answer >= 0 && static_cast<size_t>(p.answer) < outputs
                                             : p.values.size() == outputs && files[p.file].target.size() == outputs);
  if (!fits || (e.of_labels && e.of_labels->per_label.size() != outputs))
    throw Error("a prediction does not fit the files and classes", "give the files that were evaluated");
}

}  // namespace

bool label_holds(const Prediction& prediction, size_t label, const Evaluation& e) {
  const double threshold = e.of_labels ? e.of_labels->per_label[label].threshold : 0.5;
  return static_cast<double>(prediction.values[label]) >= threshold;
}

std::vector<std::string> answer_of(const Prediction& p, const Evaluation& e) {
  if (e.task == Task::classes) return {e.classes[static_cast<size_t>(p.answer)]};
  std::vector<std::string> names;
  for (size_t k = 0; k < p.values.size(); ++k)
    if (label_holds(p, k, e)) names.push_back(e.classes[k]);
  return names;
}

bool is_right(const Prediction& prediction, const LabelledFile& file, const Evaluation& evaluation) {
  if (evaluation.task == Task::classes) return prediction.answer == prediction.truth;
  for (size_t k = 0; k < prediction.values.size(); ++k)
    if (label_holds(prediction, k, evaluation) != (file.target[k] > 0.5f)) return false;
  return true;
}

Comparison compare(const Evaluation& first, const Evaluation& second, const std::vector<LabelledFile>& files) {
  return at_api_boundary([&] {
    if (first.task != second.task) throw Error("the models have different tasks", "compare models of the same task");
    // Classes may stand in another order: predictions are told by name.
    const auto sorted = [&](std::vector<std::string> names) {
      if (first.task == Task::classes) std::sort(names.begin(), names.end());
      return names;
    };
    if (sorted(first.classes) != sorted(second.classes))
      throw Error("the models have different classes", "compare models of the same classes");
    for (const Evaluation* e : {&first, &second})
      for (const Prediction& p : e->predictions) check(p, files, *e);
    std::map<size_t, const Prediction*> of_second;
    for (const Prediction& p : second.predictions) of_second[p.file] = &p;
    std::vector<std::vector<double>> of_pictures(2);
    std::vector<std::pair<double, size_t>> differ;
    Comparison result;
    for (const Prediction& p : first.predictions) {
      const auto other = of_second.find(p.file);
      if (other == of_second.end()) continue;
      const Prediction& q = *other->second;
      const LabelledFile& file = files.at(p.file);
      const double a = score_of(p, file, first), b = score_of(q, file, second);
      of_pictures[0].push_back(b - a);
      of_pictures[1].push_back(q.loss - p.loss);
      if (first.task == Task::regression) continue;
      result.only_first_right += a > b;
      result.only_second_right += b > a;
      if (answer_of(p, first) != answer_of(q, second)) differ.emplace_back(-std::fabs(q.loss - p.loss), p.file);
    }
    result.pictures = of_pictures[0].size();
    if (result.pictures == 0) throw Error("no picture was read for both models");
    const std::vector<Difference> all = differences(of_pictures);
    result.score = all[0];
    result.loss = all[1];
    std::sort(differ.begin(), differ.end());
    for (const auto& [gap, file] : differ) result.differ.push_back(file);
    return result;
  });
}

}  // namespace graft
