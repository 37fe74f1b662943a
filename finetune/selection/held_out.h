#pragma once

#include <span>
#include <vector>

namespace graft {

/// How a classifier did on pictures that it had not seen, one after the other.
struct HeldOut {
  std::vector<double> losses;   // cross-entropy in nats, times the weight
  std::vector<bool> right;      // the largest score is the label's
  std::vector<double> weights;  // of the pictures
  void add(std::span<const float> scores, int label, double weight = 1);
  /// The pictures of another behind these.
  void append(const HeldOut& other);
  double loss() const;      // weighted mean; 0 of none
  double accuracy() const;  // 0 to 1; 0 of none
  double weighted_accuracy() const;
  /// The same pictures, each of which counts once.
  HeldOut unweighted() const;
};

/// Mean of a - b, number by number, and its standard error; the error of fewer than two is infinite.
struct MeanDifference {
  double mean = 0, error = 0;
};
MeanDifference mean_difference(const std::vector<double>& a, const std::vector<double>& b);

/// Probability that of `wins` + `losses` pictures on which two classifiers differ, `wins` or more speak for one of them
/// by chance: the one-sided sign test.
double sign_test(int wins, int losses);

/// Whether `now` is better than `before` on the same pictures by more than chance: in its loss, with no less right, or
/// (where all pictures weigh the same) in what is right, with no more loss. Each is so by chance once in forty times,
/// one of the two at most once in twenty; one of `comparisons` candidates as seldom [Bonferroni's correction].
bool is_better_beyond_chance(const HeldOut& now, const HeldOut& before, int comparisons = 1);

/// ScoreTable::best_temperature of `scores`, pictures × classes; pictures whose label is negative do not count.
double best_temperature(std::span<const float> scores, std::span<const int> labels, int classes);

}  // namespace graft
