#pragma once

#include "augment/transforms/movement.h"

namespace graft::transforms {

class Perspective final : public Movement {
 public:
  static constexpr ComponentText kText{
      "perspective", "seen from another side: its corners moved inwards",
      "corner += (u·W/2, v·H/2); u and v in 0…distortion, as torchvision's RandomPerspective"};
  struct Options {
    double distortion = 0.3, probability = 0.5;
    void describe(SettingVisitor& visit) {
      visit("distortion", distortion,
            {.low = 0, .high = 0.9, .unit = "half sides", .help = "how far a corner moves at most"});
      visit_probability(visit, probability);
    }
  };
  Perspective(const Options& o, const TransformContext& c)
      : Movement(c), distortion_(static_cast<float>(o.distortion)) {}
  void apply(WarpedImage& image, Random& random) const override {
    const auto width = static_cast<double>(image.width()), height = static_cast<double>(image.height());
    const std::array<Place, 4> corners{{{0, 0}, {width, 0}, {width, height}, {0, height}}};
    std::array<Place, 4> moved = corners;
    for (Place& corner : moved) {
      const double across = static_cast<double>(random.uniform(0, distortion_)) * width / 2,
                   down = static_cast<double>(random.uniform(0, distortion_)) * height / 2;
      corner.x += corner.x > 0 ? -across : across;
      corner.y += corner.y > 0 ? -down : down;
    }
    image.warp(Matrix3::between(moved, corners), sampling_);
  }

 private:
  float distortion_;
};

}  // namespace graft::transforms
