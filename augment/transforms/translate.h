#pragma once

#include "augment/transforms/movement.h"

namespace graft::transforms {

class Translate final : public Movement {
 public:
  static constexpr ComponentText kText{"translate", "moved across and down",
                                       "x += u·W, y += v·H; u in -x…x, v in -y…y, as torchvision's RandomAffine"};
  struct Options {
    double x = 0.1, y = 0.1, probability = 1;
    void describe(SettingVisitor& visit) {
      visit("x", x, {.low = 0, .high = 1, .unit = "widths", .help = "how far across at most"});
      visit("y", y, {.low = 0, .high = 1, .unit = "heights", .help = "how far down at most"});
      visit_probability(visit, probability);
    }
  };
  Translate(const Options& o, const TransformContext& c) : Movement(c), options_(o) {}
  void apply(WarpedImage& image, Random& random) const override {
    const double x = within(random, options_.x) * static_cast<double>(image.width()),
                 y = within(random, options_.y) * static_cast<double>(image.height());
    image.warp(Matrix3::translation(-x, -y), sampling_);
  }

 private:
  Options options_;
};

}  // namespace graft::transforms
