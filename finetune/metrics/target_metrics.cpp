#include "finetune/metrics/target_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "finetune/metrics/bootstrap.h"

namespace graft {
void TargetMetrics::add(std::span<const float> scores, std::span<const int> labels, std::span<const float> targets) {
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) continue;
    const auto row = [&](std::span<const float> all) { return all.subspan(i * outputs_, outputs_); };
    scores_.insert(scores_.end(), row(scores).begin(), row(scores).end());
    targets_.insert(targets_.end(), row(targets).begin(), row(targets).end());
  }
}

Ranking TargetMetrics::ranking(size_t output) const {
  std::vector<std::pair<double, bool>> scored;
  for (size_t i = output; i < scores_.size(); i += outputs_)
    scored.emplace_back(static_cast<double>(scores_[i]), targets_[i] > 0.5f);
  return Ranking(std::move(scored));
}

double TargetMetrics::mean_average_precision() const {
  double sum = 0, classes = 0;
  for (size_t k = 0; k < outputs_; ++k) {
    const double one = ranking(k).average_precision();
    if (one < 0) continue;  // never marked
    sum += one;
    ++classes;
  }
  return classes > 0 ? sum / classes : 0;
}

std::pair<double, double> TargetMetrics::mean_average_precision_interval() const {
  const auto rows = static_cast<size_t>(count());
  const auto score = [&](size_t row, size_t k) {  // what is no number comes last
    const float v = scores_[row * outputs_ + k];
    return std::isnan(v) ? -std::numeric_limits<float>::infinity() : v;
  };
  std::vector<std::vector<uint32_t>> orders(outputs_, std::vector<uint32_t>(rows));  // by falling score
  for (size_t k = 0; k < outputs_; ++k) {
    std::iota(orders[k].begin(), orders[k].end(), 0u);
    std::stable_sort(orders[k].begin(), orders[k].end(),
                     [&](uint32_t a, uint32_t b) { return score(a, k) > score(b, k); });
  }
  const auto average_precision = [&](size_t k, std::span<const uint32_t> drawn) {
    double hits = 0, seen = 0, sum = 0;
    for (size_t first = 0; first < rows;) {  // pictures of one score count together
      size_t last = first;
      double here = 0;
      for (; last < rows && score(orders[k][last], k) == score(orders[k][first], k); ++last) {
        const uint32_t row = orders[k][last];
        seen += drawn[row];
        if (targets_[row * outputs_ + k] > 0.5f) here += drawn[row];
      }
      hits += here;
      if (seen > 0) sum += here * hits / seen;
      first = last;
    }
    return hits > 0 ? sum / hits : -1;
  };
  return bootstrap_intervals(
      rows, 1,
      [&](std::span<const uint32_t> drawn, std::span<double> mean) {
        double sum = 0, classes = 0;
        for (size_t k = 0; k < outputs_; ++k) {
          const double one = average_precision(k, drawn);
          if (one < 0) continue;
          sum += one;
          ++classes;
        }
        mean[0] = sum / classes;
      },
      resamples_for(rows * outputs_))[0];
}

double TargetMetrics::exact_match(std::span<const float> thresholds) const {
  const auto holds = [&](float score, size_t output) {
    return thresholds.empty() ? score >= 0 : 1 / (1 + std::exp(-score)) >= thresholds[output];
  };
  int64_t exact = 0;
  for (size_t first = 0; first < scores_.size(); first += outputs_) {
    bool right = true;
    for (size_t k = first; k < first + outputs_; ++k)
      right = right && holds(scores_[k], k - first) == (targets_[k] > 0.5f);
    exact += right;
  }
  return count() == 0 ? 0 : static_cast<double>(exact) / static_cast<double>(count());
}

double TargetMetrics::r2(std::span<const uint32_t> drawn) const {
  const double rows = std::accumulate(drawn.begin(), drawn.end(), 0.0);
  double sum = 0;
  for (size_t k = 0; k < outputs_; ++k) {
    double mean = 0, rest = 0, variance = 0;
    for (size_t row = 0; row < drawn.size(); ++row)
      mean += drawn[row] * static_cast<double>(targets_[row * outputs_ + k]) / rows;
    for (size_t row = 0; row < drawn.size(); ++row) {
      const size_t i = row * outputs_ + k;
      const auto t = static_cast<double>(targets_[i]), f = static_cast<double>(scores_[i]);
      rest += drawn[row] * (t - f) * (t - f);
      variance += drawn[row] * (t - mean) * (t - mean);
    }
    if (variance > 0) sum += 1 - rest / variance;
  }
  return outputs_ == 0 ? 0 : sum / static_cast<double>(outputs_);
}

double TargetMetrics::r2() const { return r2(std::vector<uint32_t>(static_cast<size_t>(count()), 1)); }

std::pair<double, double> TargetMetrics::r2_interval() const {
  return bootstrap_intervals(
      static_cast<size_t>(count()), 1,
      [&](std::span<const uint32_t> drawn, std::span<double> figure) { figure[0] = r2(drawn); },
      resamples_for(scores_.size()))[0];
}

std::pair<double, double> TargetMetrics::mean_absolute_error_interval() const {
  std::vector<double> of_row(static_cast<size_t>(count()), 0);
  for (size_t i = 0; i < scores_.size(); ++i)
    of_row[i / outputs_] +=
        std::fabs(static_cast<double>(scores_[i]) - static_cast<double>(targets_[i])) / static_cast<double>(outputs_);
  return bootstrap_intervals(of_row.size(), 1, [&](std::span<const uint32_t> drawn, std::span<double> mean) {
    mean[0] = std::inner_product(of_row.begin(), of_row.end(), drawn.begin(), 0.0) / static_cast<double>(of_row.size());
  })[0];
}

TargetMetrics TargetMetrics::of_output(size_t output) const {
  TargetMetrics one(1);
  for (size_t i = output; i < scores_.size(); i += outputs_) {
    one.scores_.push_back(scores_[i]);
    one.targets_.push_back(targets_[i]);
  }
  return one;
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
