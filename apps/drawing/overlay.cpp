#include "apps/drawing/overlay.h"

#include <algorithm>
#include <cmath>

namespace graft::app {

Image overlay(const Explanation& e) {
  Image image(e.width, e.height);
  for (size_t i = 0; i < e.map.size(); ++i)
    for (size_t c = 0; c < 3; ++c) {
      // "Jet": three hats side by side, red's at three quarters, green's at a half, blue's at a quarter.
      const float middle = 3 - static_cast<float>(c),
                  level = std::clamp(1.5f - std::fabs(4 * e.map[i] - middle), 0.0f, 1.0f);
      const float mixed = (static_cast<float>(e.pixels[3 * i + c]) + 255 * level) / 2;
      image.pixels[3 * i + c] = static_cast<uint8_t>(std::lround(mixed));
    }
  return image;
}

}  // namespace graft::app
