#pragma once

#include "augment/pixels/tone.h"
#include "augment/transforms/transform.h"

namespace graft::transforms {

class AutoContrast final : public Transform {
 public:
  static constexpr ComponentText kText{"autocontrast", "each channel spread over all values",
                                       "v ← 255·(v - min)/(max - min), as Pillow's ImageOps.autocontrast"};
  struct Options {
    double probability = 0.5;
    void describe(SettingVisitor& visit) { visit_probability(visit, probability); }
  };
  AutoContrast(const Options&, const TransformContext&) {}
  void apply(WarpedImage& image, Random&) const override { spread_contrast(image.pixels()); }
};

}  // namespace graft::transforms
