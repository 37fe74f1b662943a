#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// What scores are worth against rows of targets: marks of 0 and 1, or measured values.
class TargetMetrics {
 public:
  explicit TargetMetrics(size_t outputs) : outputs_(outputs) {}

  /// Adds rows × outputs scores and as many targets. Rows whose label is negative are left out.
  void add(std::span<const float> scores, std::span<const int> labels, std::span<const float> targets);

  int64_t count() const { return static_cast<int64_t>(outputs_ == 0 ? 0 : scores_.size() / outputs_); }
  /// Marks: the mean over the classes that occur of the average precision: Σ precision at each true picture / number of
  /// true pictures, pictures ordered by score.  [as scikit-learn's average_precision_score, macro]
  double mean_average_precision() const;
  /// Marks: share of pictures where every score has the right sign.
  double exact_match() const;
  /// Values: 1 - Σ(t - f)² / Σ(t - t̄)², mean over the outputs; 0 for outputs that never change.
  double r2() const;
  double mean_absolute_error() const;
  double root_mean_squared_error() const;

 private:
  double average_precision(size_t output) const;
  size_t outputs_;
  std::vector<float> scores_, targets_;
};

}  // namespace graft
