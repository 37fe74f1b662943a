#pragma once

#include "augment/transforms/transform.h"
#include "runtime/core/component.h"

namespace graft::transforms {

struct FlipOptions {
  double probability = 0.5;
  void describe(SettingVisitor& visit) { visit_probability(visit, probability); }
};

class HorizontalFlip final : public Transform {
 public:
  static constexpr ComponentText kText{"flip", "left for right", "x ← W-1-x"};
  using Options = FlipOptions;
  HorizontalFlip(const Options&, const TransformContext&) {}
  void apply(WarpedImage& image, Random&) const override { image.flip_left_right(); }
  std::optional<int64_t> least_side() const override { return {}; }
};

class VerticalFlip final : public Transform {
 public:
  static constexpr ComponentText kText{"vflip", "top for bottom", "y ← H-1-y"};
  using Options = FlipOptions;
  VerticalFlip(const Options&, const TransformContext&) {}
  void apply(WarpedImage& image, Random&) const override { image.flip_top_bottom(); }
  std::optional<int64_t> least_side() const override { return {}; }
};

}  // namespace graft::transforms
