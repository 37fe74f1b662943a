#pragma once

#include <cmath>
#include <cstring>

#include "augment/transforms/transform.h"

namespace graft::transforms {

class RandomErasing final : public Transform {
 public:
  static constexpr ComponentText kText{"erase", "a rectangle painted over, with the mean colour or with noise",
                                       "area in smallest…largest, aspect in 1/a…a  [Zhong et al. 2017]"};
  struct Options {
    float smallest = 0.02f, largest = 0.33f, aspect = 3.3f;
    bool noise = false;
    double probability = 0.5;
    void describe(SettingVisitor& visit) {
      visit("smallest", smallest, {.low = 0, .high = 1, .help = "the least part of the area"});
      visit("largest", largest, {.low = 0, .high = 1, .help = "the largest part"});
      visit("aspect", aspect, {.low = 1, .high = 10, .help = "a, the largest height over width"});
      visit("noise", noise, {.help = "random values in place of the mean colour"});
      visit_probability(visit, probability);
    }
  };
  RandomErasing(const Options& o, const TransformContext& c)
      : options_(o), log_aspect_(std::log(o.aspect)), fill_(c.sampling.fill) {
    check_range("smallest", o.smallest, "largest", o.largest);
  }
  void apply(WarpedImage& image, Random& random) const override {
    Image& pixels = image.upright_pixels();
    const double all = static_cast<double>(pixels.width * pixels.height);
    for (int attempt = 0; attempt < 10; ++attempt) {
      const double area = all * static_cast<double>(random.uniform(options_.smallest, options_.largest));
      const double aspect = std::exp(static_cast<double>(random.uniform(-log_aspect_, log_aspect_)));
      const auto w = static_cast<int64_t>(std::lround(std::sqrt(area / aspect))),
                 h = static_cast<int64_t>(std::lround(std::sqrt(area * aspect)));
      if (w < 1 || h < 1 || w >= pixels.width || h >= pixels.height) continue;
      const auto left = static_cast<int64_t>(random.below(static_cast<uint64_t>(pixels.width - w + 1))),
                 top = static_cast<int64_t>(random.below(static_cast<uint64_t>(pixels.height - h + 1)));
      for (int64_t y = top; y < top + h; ++y) {
        uint8_t* p = pixels.row(y) + 3 * left;
        for (int64_t i = 0; i < 3 * w; ++i)
          p[i] = options_.noise ? static_cast<uint8_t>(random.bits() >> 56) : fill_[static_cast<size_t>(i % 3)];
      }
      return;
    }
  }

 private:
  Options options_;
  float log_aspect_;
  std::array<uint8_t, 3> fill_;
};

}  // namespace graft::transforms
