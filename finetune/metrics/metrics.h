#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// What a set of scores is worth against its labels.
class Metrics {
 public:
  explicit Metrics(int classes) : classes_(classes), confusion_(static_cast<size_t>(classes * classes), 0) {}

  /// Adds rows × classes scores. Rows whose label is negative are left out.
  void add(std::span<const float> scores, std::span<const int> labels);

  int64_t count() const { return count_; }
  double top1() const { return ratio(top1_); }
  /// The true class among the five best (or among all, with fewer classes).
  double top5() const { return ratio(top5_); }
  /// Mean cross-entropy.
  double loss() const { return count_ == 0 ? 0 : loss_ / static_cast<double>(count_); }
  /// Rows: true class; columns: predicted.
  int64_t confusion(int truth, int predicted) const {
    return confusion_[static_cast<size_t>(truth * classes_ + predicted)];
  }
  int classes() const { return classes_; }
  /// 0 where a class never occurs (or is never predicted).
  double precision(int c) const;
  double recall(int c) const;
  double f1(int c) const;
  /// Expected calibration error over 15 equal bins of confidence [Guo et al. 2017].
  double calibration_error() const;

 private:
  double ratio(int64_t hits) const { return count_ == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(count_); }
  static constexpr size_t kBins = 15;
  int classes_;
  int64_t count_ = 0, top1_ = 0, top5_ = 0;
  double loss_ = 0;
  std::vector<int64_t> confusion_;
  struct Bin {
    int64_t count = 0, hits = 0;
    double confidence = 0;
  };
  Bin bins_[kBins];
};

/// In place, row by row; stable for any finite scores.
void softmax_rows(std::span<float> scores, size_t classes);

/// Indices of the k largest scores, best first; ties go to the smaller index.
std::vector<int> top_indices(std::span<const float> scores, size_t k);

}  // namespace graft
