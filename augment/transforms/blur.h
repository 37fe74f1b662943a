#pragma once

#include <cmath>
#include <opencv2/imgproc.hpp>

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
  GaussianBlur(const Options& o, const TransformContext&) : low_(o.low), high_(std::max(o.low, o.high)) {}
  void apply(WarpedImage& image, Random& random) const override {
    const auto sigma = static_cast<double>(random.uniform(low_, high_));
    const int side = 2 * static_cast<int>(std::ceil(3 * sigma)) + 1;
    Image& pixels = image.pixels();  // the Gaussian is its own mirror image
    cv::Mat matrix(static_cast<int>(pixels.height), static_cast<int>(pixels.width), CV_8UC3, pixels.pixels.data());
    cv::GaussianBlur(matrix, matrix, {side, side}, sigma, sigma, cv::BORDER_REFLECT_101);
  }

 private:
  float low_, high_;
};

}  // namespace graft::transforms
