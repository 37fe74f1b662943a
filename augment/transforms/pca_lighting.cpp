#include <algorithm>
#include <cmath>

#include "augment/transforms/transform.h"

namespace graft {
namespace {

class PcaLighting final : public Transform {
 public:
  PcaLighting(const ColourAxes& axes, float sigma) : axes_(axes), sigma_(sigma) {}
  bool looks_at_places() const override { return false; }
  Image apply(Image image, Random& random) const override {
    float shift[3] = {0, 0, 0};
    for (size_t k = 0; k < 3; ++k) {
      const float amount = sigma_ * random.normal() * axes_.values[k];
      for (size_t c = 0; c < 3; ++c) shift[c] += axes_.vectors[c][k] * amount * 255;
    }
    for (size_t i = 0; i < image.pixels.size(); ++i) {
      image.pixels[i] = static_cast<uint8_t>(
          std::clamp(std::nearbyint(static_cast<float>(image.pixels[i]) + shift[i % 3]), 0.0f, 255.0f));
    }
    return image;
  }

 private:
  ColourAxes axes_;
  float sigma_;
};

}  // namespace

TransformPtr make_pca_lighting(const ColourAxes& axes, float sigma) {
  return std::make_unique<PcaLighting>(axes, sigma);
}

}  // namespace graft
