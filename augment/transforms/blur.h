#pragma once

#include "augment/pixels/blur.h"
#include "augment/transforms/transform.h"

namespace graft::transforms {

class GaussianBlur final : public Transform {
 public:
  static constexpr ComponentText kText{"blur", "out of focus",
                                       "a Gaussian of standard deviation low…high, 2·⌈3σ⌉+1 pixels wide"};
  struct Options {
    float low = 0.1f, high = 2;
    double probability = 0.5;
    void describe(SettingVisitor& visit) {
      visit("low", low, {.low = 0.01, .high = 100, .unit = "pixels", .help = "the least σ"});
      visit("high", high, {.low = 0.01, .high = 100, .unit = "pixels", .help = "the largest σ"});
      visit_probability(visit, probability);
    }
  };
  GaussianBlur(const Options& o, const TransformContext&) : low_(o.low), high_(o.high) {
    check_range("low", low_, "high", high_);
  }
  void apply(WarpedImage& image, Random& random) const override {
    blur(image.pixels(), static_cast<double>(random.uniform(low_, high_)));  // a Gaussian is its own mirror image
  }

 private:
  float low_, high_;
};

}  // namespace graft::transforms
