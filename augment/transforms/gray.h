#pragma once

#include "augment/pixels/tone.h"
#include "augment/transforms/transform.h"

namespace graft::transforms {

class Grey final : public Transform {
 public:
  static constexpr ComponentText kText{"gray", "without colour", "R = G = B = 0.299·R + 0.587·G + 0.114·B"};
  struct Options {
    double probability = 0.1;
    void describe(SettingVisitor& visit) { visit_probability(visit, probability); }
  };
  Grey(const Options&, const TransformContext&) {}
  void apply(WarpedImage& image, Random&) const override { make_grey(image.pixels()); }
  std::optional<int64_t> least_side() const override { return {}; }
};

}  // namespace graft::transforms
