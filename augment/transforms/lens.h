#pragma once

#include "augment/transforms/movement.h"

namespace graft::transforms {

class LensDistortion final : public Movement {
 public:
  static constexpr ComponentText kText{
      "lens", "bent as by a lens: barrel or pincushion",
      "p comes from c + (p - c)(1 + a·r² + b·r⁴), r in half diagonals; |a| ≤ k1, |b| ≤ k2  [Brown 1966]"};
  struct Options {
    double k1 = 0.2, k2 = 0.05, probability = 1;
    void describe(SettingVisitor& visit) {
      visit("k1", k1, {.low = 0, .high = 0.25, .help = "the largest a, of the square of the distance"});
      visit("k2", k2,
            {.low = 0, .high = 0.05, .help = "the largest b, of its fourth power; beyond, pictures would fold"});
      visit_probability(visit, probability);
    }
  };
  LensDistortion(const Options& o, const TransformContext& c) : Movement(c), options_(o) {}
  void apply(WarpedImage& image, Random& random) const override {
    const double k1 = within(random, options_.k1), k2 = within(random, options_.k2);
    const Place c = image.centre();
    image.warp(RadialDistortion{c, std::hypot(c.x, c.y), k1, k2}, sampling_);
  }

 private:
  Options options_;
};

}  // namespace graft::transforms
