#pragma once

#include <vector>

#include "finetune/selection/linear_candidate.h"

namespace graft {

/// One strength of the penalty, judged out of fold.
struct RegressionPoint {
  double l2 = 0;                  // λ of mean loss + λ/2·‖W‖², on standardised features
  double temperature = 1;         // that makes the probabilities most likely
  double loss = 0, accuracy = 0;  // at it: penalties differ in how sure they are, which the temperature mends
};

/// Multinomial logistic regression, which is the convex problem that a linear head under cross-entropy poses, solved
/// by L-BFGS to its optimum for a row of penalties, strongest first, on features that are standardised halfway. All
/// folds are solved together, as columns of one dense layer, and each picture is scored by the fold that has not seen
/// it.
class SoftmaxRegression final : public LinearCandidate {
 public:
  /// Copies the matrix, standardised. `threads`: 0 for all cores; the results are the same for any number.
  SoftmaxRegression(const FeatureMatrix& features, ClassTargets targets, int threads);

  /// Tries penalties until the loss out of fold has risen for good. Throws Error where no picture can be scored.
  void sweep();
  /// One penalty alone, in the place of a sweep.
  void sweep_at(double l2);
  const std::vector<RegressionPoint>& path() const { return path_; }
  /// The penalty of the lowest loss.
  const RegressionPoint& best() const { return path_[best_]; }

  const std::vector<float>& scores() const override { return scores_; }
  double temperature() const override { return best().temperature; }
  double penalty() const override { return best().l2; }
  /// At the best penalty, which means as much to all pictures as it did to those of a fold: λ·n is kept.
  LinearHeadWeights fit() const override;

 private:
  class Problem;
  void add_point(Problem& problem, double l2);

  ClassTargets targets_;
  int threads_;
  size_t pictures_, rows_, width_;
  HalfwayScale scale_;
  std::vector<float> standardised_;  // rows × width
  std::vector<RegressionPoint> path_;
  size_t best_ = 0;
  std::vector<float> scores_;
  std::vector<float> fold_weight_, fold_bias_;  // of all folds at the best penalty, on standardised features
};

}  // namespace graft
