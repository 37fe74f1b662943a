#pragma once

#include "augment/pixels/tone.h"
#include "augment/transforms/transform.h"

namespace graft::transforms {

class Equalize final : public Transform {
 public:
  static constexpr ComponentText kText{"equalize", "each channel's values evenly spread",
                                       "histogram equalisation, as Pillow's ImageOps.equalize"};
  struct Options {
    double probability = 0.5;
    void describe(SettingVisitor& visit) { visit_probability(visit, probability); }
  };
  Equalize(const Options&, const TransformContext&) {}
  void apply(WarpedImage& image, Random&) const override { equalize(image.pixels()); }
};

}  // namespace graft::transforms
