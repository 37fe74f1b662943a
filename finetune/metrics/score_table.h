#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "finetune/metrics/ranking.h"

namespace graft {

/// Scores (logits) of labelled pictures, kept for what a running sum cannot answer.
class ScoreTable {
 public:
  explicit ScoreTable(size_t classes) : classes_(classes) {}
  /// One picture.
  void add(std::span<const float> scores, int label);
  size_t count() const { return labels_.size(); }

  /// Two classes: the chance that a picture of class 1 gets a higher score for it than one of class 0, ties counting
  /// half: the area under the ROC curve. [Hanley & McNeil 1982]. 0.5 where a class is missing.
  double roc_auc() const;
  /// Pictures of a class against all others, by the logarithm of its probability.
  Ranking one_against_rest(int label) const;

  /// The T, from 0.0005 to 2000, that makes softmax(scores / T) most likely. [Guo et al. 2017, temperature scaling]
  double best_temperature() const;
  /// Mean cross-entropy, and expected calibration error over 15 equal bins, of softmax(scores / T).
  double loss(double temperature) const;
  double calibration_error(double temperature) const;
  /// Mean of the largest probabilities of softmax(scores / T).
  double mean_confidence(double temperature) const;
  /// Pictures whose largest score, the first of equals, is that of their label.
  size_t right() const;

 private:
  std::span<const float> row(size_t i) const { return std::span(scores_).subspan(i * classes_, classes_); }
  size_t classes_;
  std::vector<float> scores_;
  std::vector<int> labels_;
  std::vector<double> log_sums_;  // of each picture's exponentials, which every class needs
};

}  // namespace graft
