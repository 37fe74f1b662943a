#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// The nearest other samples of each, nearest first, ties to the smaller index.
struct Neighbours {
  int64_t each = 0;
  std::vector<int32_t> index;    // samples × each
  std::vector<double> distance;  // squared, samples × each
};

/// All of them are compared: work grows with the square of the samples, memory does not. `features`: samples × width,
/// finite; `each` is below the samples. Which are nearest is decided in float32, the distances are then double. The
/// same bits for any number of threads.
Neighbours nearest_neighbours(std::span<const float> features, int64_t samples, int64_t each);

}  // namespace graft
