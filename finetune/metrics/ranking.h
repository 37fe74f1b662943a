#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace graft {

/// What the order of scores says of a yes or no: the curves that a threshold moves along, and what lies under them.
class Ranking {
 public:
  /// What a threshold lets through: everything that scores at least as much.
  struct Point {
    double threshold;
    int64_t true_positives, false_positives;
  };
  /// A score, and whether the answer is yes. Scores that are no number come last.
  explicit Ranking(std::vector<std::pair<double, bool>> scored);

  int64_t positives() const { return positives_; }
  int64_t negatives() const { return negatives_; }
  /// One for each score that occurs, the highest first.
  const std::vector<Point>& points() const { return points_; }
  /// The chance that a yes scores more than a no, ties counting half: the area under the ROC curve. 0.5 where there is
  /// no yes or no no. [Hanley & McNeil 1982]
  double roc_auc() const;
  /// Σ over thresholds of precision × gain in recall; below 0 where there is no yes. [as scikit-learn's
  /// average_precision_score]
  double average_precision() const;
  /// The threshold of the largest F1, the higher of equals, and that F1.
  struct BestThreshold {
    double threshold = 0, f1 = 0;
  };
  BestThreshold best_threshold() const;

 private:
  int64_t positives_ = 0, negatives_ = 0;
  std::vector<Point> points_;
};

}  // namespace graft
