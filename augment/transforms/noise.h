#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "augment/transforms/transform.h"

namespace graft::transforms {

class GaussianNoise final : public Transform {
 public:
  static constexpr ComponentText kText{"noise", "grain: another random number added to every value",
                                       "value += 255·N(0, s), s in 0…sigma, one s a picture"};
  struct Options {
    float sigma = 0.1f;
    double probability = 0.5;
    void describe(SettingVisitor& visit) {
      visit("sigma", sigma, {.low = 0, .high = 1, .unit = "of the range", .help = "the largest standard deviation"});
      visit_probability(visit, probability);
    }
  };
  GaussianNoise(const Options& o, const TransformContext&) : sigma_(o.sigma) {}
  void apply(WarpedImage& image, Random& random) const override {
    const float scale = 255 * random.uniform(0, sigma_);
    const std::vector<float>& normal = quantiles();
    Image& pixels = image.upright_pixels();
    uint64_t bits = 0;
    for (size_t i = 0; i < pixels.pixels.size(); ++i, bits >>= 16) {
      if (i % 4 == 0) bits = random.bits();
      const float v = static_cast<float>(pixels.pixels[i]) + scale * normal[bits & 0xffff];
      pixels.pixels[i] = static_cast<uint8_t>(std::clamp(v + 0.5f, 0.0f, 255.0f));
    }
  }

 private:
  /// The normal distribution at 65,536 evenly spread probabilities: a value is one look-up, without logarithms.
  static const std::vector<float>& quantiles() {
    static const std::vector<float> table = [] {
      std::vector<float> values(65536);
      double x = -5;
      for (size_t i = 0; i < values.size(); ++i) {
        const double wanted = (static_cast<double>(i) + 0.5) / 65536;
        for (int step = 0; step < 20; ++step)  // Newton, from the value before
          x -= (0.5 * std::erfc(-x / std::sqrt(2.0)) - wanted) /
               std::max(std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi), 1e-300);
        values[i] = static_cast<float>(x);
      }
      return values;
    }();
    return table;
  }
  float sigma_;
};

}  // namespace graft::transforms
