#pragma once

#include "augment/transforms/transform.h"
#include "runtime/core/component.h"

namespace graft::transforms {

/// No pixel moves: what reads them last does so the other way round.
class Flip : public Transform {
 public:
  struct Options {
    double probability = 0.5;
    void describe(SettingVisitor& visit) {
      visit("probability", probability, {.low = 0, .high = 1, .help = "how often it happens"});
    }
  };
  Flip(const Options& options, bool Image::*way) : probability_(static_cast<float>(options.probability)), way_(way) {}
  bool looks_at_places() const override { return false; }
  Image apply(Image image, Random& random) const override {
    if (random.uniform() < probability_) image.*way_ = !(image.*way_);
    return image;
  }

 private:
  float probability_;
  bool Image::*way_;
};

class HorizontalFlip final : public Flip {
 public:
  static constexpr ComponentText kText{"flip", "left for right now and then", "x ← W-1-x"};
  HorizontalFlip(const Options& options, const TransformContext&) : Flip(options, &Image::mirrored) {}
};

class VerticalFlip final : public Flip {
 public:
  static constexpr ComponentText kText{"vflip", "top for bottom now and then", "y ← H-1-y"};
  VerticalFlip(const Options& options, const TransformContext&) : Flip(options, &Image::upside_down) {}
};

}  // namespace graft::transforms
