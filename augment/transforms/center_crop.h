#pragma once

#include <algorithm>
#include <cmath>

#include "augment/transforms/fit.h"

namespace graft::transforms {

/// Which part of a resized picture a crop takes.
enum class CropPlace : uint8_t { middle, top_left, top_right, bottom_left, bottom_right };

/// A view of what evaluation resizes: torchvision's Resize then CenterCrop (or one of FiveCrop's), both sides resized,
/// or bars beside the whole picture. The middle of a picture that already has the size passes unchanged, unless it is
/// always to be resized.
class EvaluationCrop : public Transform {
 public:
  explicit EvaluationCrop(const TransformContext& c, CropPlace place = CropPlace::middle, bool mirrored = false)
      : context_(c), place_(place), mirrored_(mirrored) {}
  void apply(WarpedImage& image, Random&) const override {
    cut(image);
    if (mirrored_) image.flip_left_right();
  }
  bool crops() const override { return true; }
  std::optional<int64_t> least_side() const override {
    const TransformContext& c = context_;
    if (c.fit == Fit::crop) return c.short_side > 0 ? std::max({c.short_side, c.height, c.width}) : 0;
    const Size scaled = c.fit == Fit::squash ? squashed_size(c.short_side, c) : Size{c.width, c.height};
    return std::max(scaled.width, scaled.height);
  }

 private:
  void cut(WarpedImage& image) const {
    const TransformContext& c = context_;
    if (place_ == CropPlace::middle && image.width() == c.width && image.height() == c.height && !c.always_resize)
      return;
    if (c.fit == Fit::letterbox) return letterbox(image, all_of(image), c, 0.5, 0.5);
    const int64_t side = c.short_side > 0 ? c.short_side : std::min(image.width(), image.height());
    const Size scaled = size_before_crop(image, side, c);
    const auto begin = [this](int64_t extent, int64_t part, bool at_end) {
      if (place_ != CropPlace::middle) return at_end ? extent - part : 0;
      return static_cast<int64_t>(std::nearbyint(static_cast<double>(extent - part) / 2));
    };
    const bool right = place_ == CropPlace::top_right || place_ == CropPlace::bottom_right,
               bottom = place_ == CropPlace::bottom_left || place_ == CropPlace::bottom_right;
    image.resize(all_of(image), scaled.width, scaled.height,
                 {begin(scaled.width, c.width, right), begin(scaled.height, c.height, bottom), c.width, c.height},
                 c.sampling);
  }
  TransformContext context_;
  CropPlace place_;
  bool mirrored_;
};

class CenterCrop final : public EvaluationCrop {
 public:
  static constexpr ComponentText kText{"center-crop", "evaluation's view: resized, and the middle",
                                       "as torchvision's Resize and CenterCrop"};
  using Options = NoSettings;
  CenterCrop(const Options&, const TransformContext& c) : EvaluationCrop(c) {}
};

}  // namespace graft::transforms
