#pragma once

#include <cstdint>
#include <vector>

#include "finetune/selection/linear_candidate.h"

namespace graft {

/// A picture whose label may be wrong.
struct LabelDoubt {
  size_t picture = 0;  // index into the features
  int given = 0, likelier = 0;
  double given_probability = 0, likelier_probability = 0;  // out of fold
  bool flagged = false;  // by confident learning: likelier than that class usually is where it is right
};

/// Every labelled picture, the most doubtful first: by the margin between the probability of its label and that of the
/// likeliest other class, from a softmax regression that has not seen it (five folds, drawn by `seed`). Flags as
/// confident learning does [Northcutt et al. 2021], in two rounds: the second trains without what the first flagged.
/// Throws Error where no class has two pictures.
std::vector<LabelDoubt> label_doubts(const FeatureMatrix& features, const std::vector<int>& labels, int classes,
                                     uint64_t seed, int threads);

/// Of each row the mean cosine distance to its `neighbours` nearest others: large where nothing is like it.
std::vector<double> neighbour_distances(const FeatureMatrix& features, int neighbours);

/// The distance beyond which a row counts as unlike all others: the third quartile and three ranges between quartiles
/// more. [Tukey 1977]
double outlier_limit(std::vector<double> distances);

}  // namespace graft
