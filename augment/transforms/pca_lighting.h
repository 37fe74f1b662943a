#pragma once

#include <algorithm>
#include <cmath>

#include "augment/pixels/tone.h"
#include "augment/transforms/transform.h"
#include "runtime/core/component.h"

namespace graft::transforms {

/// Adds [p1 p2 p3]·[α1λ1, α2λ2, α3λ3]ᵀ, α ~ N(0, σ), to every pixel [Krizhevsky et al. 2012].
class PcaLighting final : public Transform {
 public:
  static constexpr ComponentText kText{
      "pca-lighting", "one colour added to all pixels, along those the pictures vary in",
      "pixel += [p1 p2 p3]·[α1λ1, α2λ2, α3λ3]ᵀ, α ~ N(0, σ)  [Krizhevsky et al. 2012]"};
  struct Options {
    float sigma = 0.1f;
    void describe(SettingVisitor& visit) { visit("sigma", sigma, {.low = 0, .high = 10, .help = "σ, the strength"}); }
  };
  PcaLighting(const Options& options, const TransformContext& context)
      : axes_(context.colour_axes ? context.colour_axes() : ColourAxes{}), sigma_(options.sigma) {}
  void apply(WarpedImage& image, Random& random) const override {
    float shift[3] = {0, 0, 0};
    for (size_t k = 0; k < 3; ++k) {
      const float amount = sigma_ * random.normal() * axes_.values[k];
      for (size_t c = 0; c < 3; ++c) shift[c] += axes_.vectors[c][k] * amount * 255;
    }
    add(image.pixels(), shift);
  }
  std::optional<int64_t> least_side() const override { return {}; }

 private:
  static void add(Image& image, const float (&shift)[3]) {
    look_up(image, [&](size_t channel, int value) {
      return static_cast<uint8_t>(std::clamp(std::nearbyint(static_cast<float>(value) + shift[channel]), 0.0f, 255.0f));
    });
  }
  ColourAxes axes_;
  float sigma_;
};

}  // namespace graft::transforms
