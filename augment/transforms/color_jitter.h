#pragma once

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "augment/transforms/transform.h"
#include "runtime/core/component.h"

namespace graft::transforms {

inline uint8_t rounded(float v) { return static_cast<uint8_t>(std::clamp(v + 0.5f, 0.0f, 255.0f)); }

/// ITU-R 601 luma, as Pillow and torchvision weigh it.
inline float luma(const uint8_t* p) { return 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2]; }

inline void blend(Image& image, float factor, auto&& other) {
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    uint8_t* p = image.pixels.data() + i;
    const float base = other(p);
    for (int c = 0; c < 3; ++c) p[c] = rounded(factor * p[c] + (1 - factor) * base);
  }
}

/// Brightness, contrast, saturation by factors in [1-s, 1+s] and hue by ±h turns, in random order, as torchvision's.
class ColourJitter final : public Transform {
 public:
  static constexpr ComponentText kText{"color-jitter", "brightness, contrast, saturation and hue, in random order",
                                       "factors in 1-s…1+s, hue by -h…h turns, as torchvision's ColorJitter"};
  struct Options {
    float brightness = 0.4f, contrast = 0.4f, saturation = 0.4f, hue = 0.05f;
    void describe(SettingVisitor& visit) {
      visit("brightness", brightness, {.low = 0, .high = 1, .help = "s of the brightness"});
      visit("contrast", contrast, {.low = 0, .high = 1, .help = "s of the contrast"});
      visit("saturation", saturation, {.low = 0, .high = 1, .help = "s of the saturation"});
      visit("hue", hue, {.low = 0, .high = 0.5, .unit = "turns", .help = "h"});
    }
  };
  ColourJitter(const Options& o, const TransformContext&) : strength_{o.brightness, o.contrast, o.saturation, o.hue} {}
  bool looks_at_places() const override { return false; }
  Image apply(Image image, Random& random) const override {
    int order[4] = {0, 1, 2, 3};
    for (int i = 3; i > 0; --i) std::swap(order[i], order[random.below(static_cast<uint64_t>(i + 1))]);
    for (int which : order) {
      const float s = strength_[which];
      const float draw = random.uniform(-s, s);
      if (s == 0) continue;
      if (which == 3)
        turn_hue(image, draw);
      else
        adjust(image, which, std::max(0.0f, 1 + draw));
    }
    return image;
  }

 private:
  static void adjust(Image& image, int which, float factor) {
    if (which == 0) return blend(image, factor, [](const uint8_t*) { return 0.0f; });
    if (which == 2) return blend(image, factor, [](const uint8_t* p) { return luma(p); });
    double sum = 0;
    for (size_t i = 0; i < image.pixels.size(); i += 3) sum += static_cast<double>(luma(image.pixels.data() + i));
    const auto mean = static_cast<float>(sum / (static_cast<double>(image.pixels.size()) / 3));
    blend(image, factor, [mean](const uint8_t*) { return mean; });
  }
  /// `turns` in fractions of the colour circle.
  static void turn_hue(Image& image, float turns) {
    cv::Mat rgb(static_cast<int>(image.height), static_cast<int>(image.width), CV_8UC3, image.pixels.data()), hsv;
    cv::cvtColor(rgb, hsv, cv::COLOR_RGB2HSV_FULL);
    const auto shift = static_cast<uint8_t>(static_cast<int>(std::lround(turns * 256)) & 0xff);
    for (int y = 0; y < hsv.rows; ++y)
      for (int x = 0; x < hsv.cols; ++x)
        hsv.at<cv::Vec3b>(y, x)[0] = static_cast<uint8_t>(hsv.at<cv::Vec3b>(y, x)[0] + shift);
    cv::cvtColor(hsv, rgb, cv::COLOR_HSV2RGB_FULL);
  }
  float strength_[4];
};

}  // namespace graft::transforms
