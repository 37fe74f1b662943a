#pragma once

#include <algorithm>

#include "augment/pixels/tone.h"
#include "augment/transforms/transform.h"

namespace graft::transforms {

/// Brightness, contrast, saturation by factors in [1-s, 1+s] and hue by ±h turns, in random order, as torchvision's.
class ColourJitter final : public Transform {
 public:
  static constexpr ComponentText kText{"color-jitter", "brightness, contrast, saturation and hue, in random order",
                                       "factors in 1-s…1+s, hue by -h…h turns, as torchvision's ColorJitter"};
  struct Options {
    float brightness = 0.4f, contrast = 0.4f, saturation = 0.4f, hue = 0.05f;
    double probability = 1;
    void describe(SettingVisitor& visit) {
      visit("brightness", brightness, {.low = 0, .high = 1, .help = "s of the brightness"});
      visit("contrast", contrast, {.low = 0, .high = 1, .help = "s of the contrast"});
      visit("saturation", saturation, {.low = 0, .high = 1, .help = "s of the saturation"});
      visit("hue", hue, {.low = 0, .high = 0.5, .unit = "turns", .help = "h"});
      visit_probability(visit, probability);
    }
  };
  ColourJitter(const Options& o, const TransformContext&) : strength_{o.brightness, o.contrast, o.saturation, o.hue} {}
  void apply(WarpedImage& image, Random& random) const override {
    Image& pixels = image.pixels();
    int order[4] = {0, 1, 2, 3};
    for (int i = 3; i > 0; --i) std::swap(order[i], order[random.below(static_cast<uint64_t>(i + 1))]);
    for (const int which : order) {
      const float s = strength_[which], draw = random.uniform(-s, s);
      if (s == 0) continue;
      if (which == 0)
        brighten(pixels, 1 + draw);
      else if (which == 1)
        scale_contrast(pixels, 1 + draw);
      else if (which == 2)
        saturate(pixels, 1 + draw);
      else
        turn_hue(pixels, draw);
    }
  }
  std::optional<int64_t> least_side() const override { return {}; }

 private:
  float strength_[4];
};

}  // namespace graft::transforms
