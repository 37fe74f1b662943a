#pragma once

#include "augment/transforms/movement.h"

namespace graft::transforms {

class Rotate final : public Movement {
 public:
  static constexpr ComponentText kText{"rotate", "turned about its centre",
                                       "by an angle in -degrees…degrees, as torchvision's RandomRotation"};
  struct Options {
    double degrees = 15, probability = 1;
    void describe(SettingVisitor& visit) {
      visit("degrees", degrees, {.low = 0, .high = 180, .unit = "degrees", .help = "the largest angle"});
      visit_probability(visit, probability);
    }
  };
  Rotate(const Options& o, const TransformContext& c) : Movement(c), degrees_(o.degrees) {}
  void apply(WarpedImage& image, Random& random) const override {
    image.warp(Matrix3::rotation(radians(within(random, degrees_))).about(image.centre()), sampling_);
  }

 private:
  double degrees_;
};

}  // namespace graft::transforms
