#pragma once

#include "augment/pixels/tone.h"
#include "augment/transforms/transform.h"

namespace graft::transforms {

class Sharpness final : public Transform {
 public:
  static constexpr ComponentText kText{"sharpness", "softer or sharper over 3×3 pixels",
                                       "by a factor in 1-s…1+s, as Pillow's ImageEnhance.Sharpness"};
  struct Options {
    float strength = 0.9f;
    double probability = 0.5;
    void describe(SettingVisitor& visit) {
      visit("strength", strength, {.low = 0, .high = 1, .help = "s"});
      visit_probability(visit, probability);
    }
  };
  Sharpness(const Options& o, const TransformContext&) : strength_(o.strength) {}
  void apply(WarpedImage& image, Random& random) const override {
    sharpen(image.pixels(), 1 + random.uniform(-strength_, strength_));
  }

 private:
  float strength_;
};

}  // namespace graft::transforms
