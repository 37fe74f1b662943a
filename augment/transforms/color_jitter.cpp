#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "augment/transforms/transform.h"

namespace graft {
namespace {

uint8_t rounded(float v) { return static_cast<uint8_t>(std::clamp(v + 0.5f, 0.0f, 255.0f)); }

/// ITU-R 601 luma, as Pillow and torchvision weigh it.
float luma(const uint8_t* p) { return 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2]; }

void blend(Image& image, float factor, auto&& other) {
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    uint8_t* p = image.pixels.data() + i;
    const float base = other(p);
    for (int c = 0; c < 3; ++c) p[c] = rounded(factor * p[c] + (1 - factor) * base);
  }
}

class ColourJitter final : public Transform {
 public:
  ColourJitter(float brightness, float contrast, float saturation, float hue)
      : strength_{brightness, contrast, saturation, hue} {}
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

}  // namespace

TransformPtr make_colour_jitter(float brightness, float contrast, float saturation, float hue) {
  return std::make_unique<ColourJitter>(brightness, contrast, saturation, hue);
}

}  // namespace graft
