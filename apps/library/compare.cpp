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

}  // namespace

bool is_right(const Prediction& prediction, const LabelledFile& file, const Evaluation& evaluation) {
  if (evaluation.task == Task::classes) return prediction.answer == prediction.truth;
  for (size_t k = 0; k < prediction.values.size(); ++k) {
    const double threshold = evaluation.of_labels ? evaluation.of_labels->per_label[k].threshold : 0.5;
    const auto p = static_cast<double>(prediction.values[k]);
    if ((threshold == 0.5 ? p > threshold : p >= threshold) != (file.target[k] > 0.5f)) return false;
  }
  return true;
}

Comparison compare(const Evaluation& first, const Evaluation& second, const std::vector<LabelledFile>& files) {
  return at_api_boundary([&] {
    if (first.task != second.task) throw Error("the models have different tasks", "compare models of the same task");
    if (first.classes.size() != second.classes.size())
      throw Error("the models have different classes", "compare models of the same classes");
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
      const bool same = first.task == Task::classes ? first.classes[static_cast<size_t>(p.answer)] ==
                                                          second.classes[static_cast<size_t>(q.answer)]
                                                    : a == b;
      if (!same) differ.emplace_back(-std::fabs(q.loss - p.loss), p.file);
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
