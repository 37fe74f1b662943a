#pragma once

#include "augment/transforms/movement.h"

namespace graft::transforms {

class Shear final : public Movement {
 public:
  static constexpr ComponentText kText{"shear", "slanted about the centre",
                                       "x += tan(α)·y, y += tan(β)·x; α in -x…x, β in -y…y degrees"};
  struct Options {
    double x = 10, y = 10, probability = 1;
    void describe(SettingVisitor& visit) {
      visit("x", x, {.low = 0, .high = 40, .unit = "degrees", .help = "the largest angle of upright lines"});
      visit("y", y, {.low = 0, .high = 40, .unit = "degrees", .help = "the largest angle of level lines"});
      visit_probability(visit, probability);
    }
  };
  Shear(const Options& o, const TransformContext& c) : Movement(c), options_(o) {}
  void apply(WarpedImage& image, Random& random) const override {
    const double x = std::tan(radians(within(random, options_.x))), y = std::tan(radians(within(random, options_.y)));
    image.warp(Matrix3::shear(x, y).inverse().about(image.centre()), sampling_);
  }

 private:
  Options options_;
};

}  // namespace graft::transforms
