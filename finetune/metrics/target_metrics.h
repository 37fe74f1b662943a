#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "finetune/metrics/ranking.h"

namespace graft {

/// What scores are worth against rows of targets: marks of 0 and 1, or measured values.
class TargetMetrics {
 public:
  explicit TargetMetrics(size_t outputs) : outputs_(outputs) {}

  /// Adds rows × outputs scores and as many targets. Rows whose label is negative are left out.
  void add(std::span<const float> scores, std::span<const int> labels, std::span<const float> targets);

  size_t outputs() const { return outputs_; }
  int64_t count() const { return static_cast<int64_t>(outputs_ == 0 ? 0 : scores_.size() / outputs_); }
  /// Marks: the mean over the classes that occur of the average precision.
  double mean_average_precision() const;
  /// Marks: share of pictures where every score is on the right side of its label's threshold, a probability (empty:
  /// 0.5, which a score must be above).
  double exact_match(std::span<const float> thresholds = {}) const;
  /// Marks: pictures by one class's score.
  Ranking ranking(size_t output) const;
  /// Values: 1 - Σ(t - f)² / Σ(t - t̄)², mean over the outputs; 0 for outputs that never change.
  double r2() const;
  double mean_absolute_error() const;
  double root_mean_squared_error() const;
  /// Values: the same of one output.
  TargetMetrics of_output(size_t output) const;

  /// 95 % of resampled sets, as bootstrap_intervals.
  std::pair<double, double> mean_average_precision_interval() const;
  std::pair<double, double> r2_interval() const;
  std::pair<double, double> mean_absolute_error_interval() const;

 private:
  /// With each picture as often as it was drawn.
  double r2(std::span<const uint32_t> drawn) const;
  size_t outputs_;
  std::vector<float> scores_, targets_;
};

}  // namespace graft
