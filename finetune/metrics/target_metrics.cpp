#include "finetune/metrics/target_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace graft {

void TargetMetrics::add(std::span<const float> scores, std::span<const int> labels, std::span<const float> targets) {
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) continue;
    const auto row = [&](std::span<const float> all) { return all.subspan(i * outputs_, outputs_); };
    scores_.insert(scores_.end(), row(scores).begin(), row(scores).end());
    targets_.insert(targets_.end(), row(targets).begin(), row(targets).end());
  }
}

double TargetMetrics::average_precision(size_t output) const {
  const auto rows = static_cast<size_t>(count());
  std::vector<size_t> order(rows);
  std::iota(order.begin(), order.end(), size_t{0});
  const auto score = [&](size_t row) { return scores_[row * outputs_ + output]; };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return score(a) > score(b); });
  double hits = 0, sum = 0;
  for (size_t first = 0; first < rows;) {  // pictures of one score count together
    size_t last = first;
    double here = 0;
    for (; last < rows && score(order[last]) == score(order[first]); ++last)
      here += targets_[order[last] * outputs_ + output] > 0.5f;
    hits += here;
    sum += here * hits / static_cast<double>(last);
    first = last;
  }
  return hits > 0 ? sum / hits : -1;
}

double TargetMetrics::mean_average_precision() const {
  double sum = 0, classes = 0;
  for (size_t k = 0; k < outputs_; ++k) {
    const double one = average_precision(k);
    if (one < 0) continue;  // never marked
    sum += one;
    ++classes;
  }
  return classes > 0 ? sum / classes : 0;
}

double TargetMetrics::exact_match() const {
  int64_t exact = 0;
  for (size_t first = 0; first < scores_.size(); first += outputs_) {
    bool right = true;
    for (size_t k = first; k < first + outputs_; ++k) right = right && (scores_[k] > 0) == (targets_[k] > 0.5f);
    exact += right;
  }
  return count() == 0 ? 0 : static_cast<double>(exact) / static_cast<double>(count());
}

double TargetMetrics::r2() const {
  const auto rows = static_cast<double>(count());
  double sum = 0;
  for (size_t k = 0; k < outputs_; ++k) {
    double mean = 0, rest = 0, variance = 0;
    for (size_t i = k; i < targets_.size(); i += outputs_) mean += static_cast<double>(targets_[i]) / rows;
    for (size_t i = k; i < targets_.size(); i += outputs_) {
      const auto t = static_cast<double>(targets_[i]), f = static_cast<double>(scores_[i]);
      rest += (t - f) * (t - f);
      variance += (t - mean) * (t - mean);
    }
    if (variance > 0) sum += 1 - rest / variance;
  }
  return outputs_ == 0 ? 0 : sum / static_cast<double>(outputs_);
}

double TargetMetrics::mean_absolute_error() const {
  double sum = 0;
  for (size_t i = 0; i < scores_.size(); ++i)
    sum += std::fabs(static_cast<double>(scores_[i]) - static_cast<double>(targets_[i]));
  return scores_.empty() ? 0 : sum / static_cast<double>(scores_.size());
}

double TargetMetrics::root_mean_squared_error() const {
  double sum = 0;
  for (size_t i = 0; i < scores_.size(); ++i)
    sum += std::pow(static_cast<double>(scores_[i]) - static_cast<double>(targets_[i]), 2);
  return scores_.empty() ? 0 : std::sqrt(sum / static_cast<double>(scores_.size()));
}

}  // namespace graft
