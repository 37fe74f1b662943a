#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace graft {

struct PcaResult {
  std::vector<double> places;     // samples × components: coordinates along the axes, the mean at 0
  std::vector<double> variances;  // along each axis, largest first
};

/// Principal components: the directions in which samples vary most, by orthogonal iteration on the covariance, which is
/// never formed. `features`: samples × width. The same bits for any number of threads. Throws Error for fewer than two
/// samples. [Jolliffe 2002; Golub & Van Loan 2013, §8.2.4]
PcaResult principal_components(std::span<const float> features, int64_t samples, int components = 2);

}  // namespace graft
