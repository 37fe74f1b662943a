#pragma once

#include <cmath>
#include <numbers>

#include "augment/transforms/transform.h"

namespace graft::transforms {

/// What only moves pixels: joined with the crop and with one another, so that a picture is sampled once.
class Movement : public Transform {
 public:
  explicit Movement(const TransformContext& context) : sampling_(context.sampling) {}
  std::optional<int64_t> least_side() const override { return {}; }

 protected:
  Sampling sampling_;
};

inline double radians(double degrees) { return degrees * std::numbers::pi / 180; }
/// Uniform in -most…most.
inline double within(Random& random, double most) {
  return static_cast<double>(random.uniform(static_cast<float>(-most), static_cast<float>(most)));
}

}  // namespace graft::transforms
