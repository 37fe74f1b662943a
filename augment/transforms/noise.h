#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

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
    std::array<int16_t, kQuantiles> noise;
    for (size_t i = 0; i < kQuantiles; ++i) noise[i] = static_cast<int16_t>(std::lround(scale * quantiles()[i]));
    Image& pixels = image.upright_pixels();
    uint64_t bits = 0;
    for (size_t i = 0; i < pixels.pixels.size(); ++i, bits >>= kBits) {
      if (i % (64 / kBits) == 0) bits = random.bits();
      pixels.pixels[i] = static_cast<uint8_t>(std::clamp(pixels.pixels[i] + noise[bits % kQuantiles], 0, 255));
    }
  }

 private:
  static constexpr size_t kBits = 12, kQuantiles = size_t{1} << kBits;
  /// The normal distribution at evenly spread probabilities: a value is one look-up, without logarithms.
  static const std::array<float, kQuantiles>& quantiles() {
    static const std::array<float, kQuantiles> table = [] {
      std::array<float, kQuantiles> values{};
      for (size_t i = 0; i < kQuantiles; ++i) {
        const double wanted = (static_cast<double>(i) + 0.5) / kQuantiles;
        double low = -10, high = 10;
        for (int step = 0; step < 50; ++step) {
          const double x = (low + high) / 2;
          (0.5 * std::erfc(-x / std::numbers::sqrt2) < wanted ? low : high) = x;
        }
        values[i] = static_cast<float>(low);
      }
      return values;
    }();
    return table;
  }
  float sigma_;
};

}  // namespace graft::transforms
