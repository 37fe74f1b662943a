#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace graft {

struct TsneOptions {
  double perplexity = 30;  // effective number of neighbours; below a third of the samples
  int iterations = 1000;
  uint64_t seed = 0;
  int64_t exact_up_to = 500;  // samples whose pairs are all summed; more go by Barnes and Hut
};

struct TsneResult {
  std::vector<double> places;  // samples × 2
  double divergence = 0;       // KL(P‖Q) at the end, in nats
};

/// t-distributed stochastic neighbour embedding in the plane: P by a search of each sample's bandwidth for the
/// perplexity, gradient descent on KL(P‖Q) with early exaggeration 12 for a quarter of the iterations, momentum 0.5
/// then 0.8, and gains. [van der Maaten & Hinton 2008; rate n/12/4 by Belkina et al. 2019] Of many samples P holds the
/// nearest 3 × perplexity neighbours of each, and what repels is summed over a tree with an angle of 0.5, so that an
/// iteration's work grows as n·log n. [van der Maaten 2014] The same seed gives the same picture, with any number of
/// threads. `features`: samples × width. Throws Error for fewer than 4 samples or a perplexity that they cannot have.
TsneResult tsne(std::span<const float> features, int64_t samples, const TsneOptions& options = {});

/// P of the above, of all pairs: for each sample a row of how likely it picks each other one as a neighbour; rows sum
/// to 1.
std::vector<double> neighbour_probabilities(std::span<const float> features, int64_t samples, double perplexity);

}  // namespace graft
