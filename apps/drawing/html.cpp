#include "apps/drawing/html.h"

#include <algorithm>
#include <vector>

#include "apps/library/base64.h"
#include "augment/decode.h"
#include "augment/encode.h"
#include "augment/pixels/resize.h"

namespace graft::app {
std::string html_escaped(const std::string& text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string data_uri(const Image& image, int quality) {
  return "data:image/jpeg;base64," + base64(jpeg_of(image, quality));
}

Image shrunk(const Image& image, int64_t side) {
  const double scale = static_cast<double>(side) / static_cast<double>(std::max(image.width, image.height));
  if (scale >= 1) return image;
  const auto scaled = [&](int64_t length) {
    return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(length) * scale));
  };
  return resize(image, whole(image), scaled(image.width), scaled(image.height));
}

std::optional<Image> small_picture(const std::string& path, int64_t side) {
  try {
    return shrunk(decode_image(path, {.least_side = side}), side);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::string html_picture(const Image& image, const std::string& description) {
  return "<img loading=\"lazy\" alt=\"" + html_escaped(description) + "\" src=\"" + data_uri(image, 95) + "\">";
}

}  // namespace graft::app
