#include "augment/image_header.h"

#include <cctype>
#include <cstring>

namespace graft {
namespace {

using Bytes = std::span<const uint8_t>;

uint32_t big(Bytes b, size_t at, size_t n) {
  uint32_t v = 0;
  for (size_t i = 0; i < n; ++i) v = v << 8 | b[at + i];
  return v;
}

uint32_t little(Bytes b, size_t at, size_t n) {
  uint32_t v = 0;
  for (size_t i = n; i-- > 0;) v = v << 8 | b[at + i];
  return v;
}

bool starts(Bytes b, const char* magic, size_t n, size_t at = 0) {
  return b.size() >= at + n && std::memcmp(b.data() + at, magic, n) == 0;
}

/// Walks the markers up to the frame header.
std::optional<ImageHeader> jpeg(Bytes b) {
  size_t at = 2;
  while (at + 9 < b.size()) {
    if (b[at] != 0xff) {
      ++at;
      continue;
    }
    const uint8_t marker = b[at + 1];
    if (marker == 0xff || marker == 0 || marker == 1 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += marker == 0xff ? 1 : 2;
      continue;
    }
    const bool frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) return ImageHeader{"JPEG", big(b, at + 7, 2), big(b, at + 5, 2)};
    if (marker == 0xd9 || marker == 0xda) return std::nullopt;
    at += 2 + big(b, at + 2, 2);
  }
  return std::nullopt;
}

std::optional<ImageHeader> tiff(Bytes b) {
  const bool is_little = b[0] == 'I';
  const auto number = [&](size_t at, size_t n) { return is_little ? little(b, at, n) : big(b, at, n); };
  const size_t directory = number(4, 4);
  if (directory + 2 > b.size()) return std::nullopt;
  ImageHeader header{"TIFF", 0, 0};
  const size_t entries = number(directory, 2);
  for (size_t i = 0; i < entries && directory + 2 + 12 * (i + 1) <= b.size(); ++i) {
    const size_t at = directory + 2 + 12 * i;
    const uint32_t tag = number(at, 2), type = number(at + 2, 2);
    const uint32_t value = type == 3 ? number(at + 8, 2) : number(at + 8, 4);
    if (tag == 256) header.width = value;
    if (tag == 257) header.height = value;
  }
  return header;
}

std::optional<ImageHeader> webp(Bytes b) {
  if (b.size() < 30) return std::nullopt;
  if (starts(b, "VP8X", 4, 12)) return ImageHeader{"WebP", little(b, 24, 3) + 1, little(b, 27, 3) + 1};
  if (starts(b, "VP8L", 4, 12)) {
    const uint32_t bits = little(b, 21, 4);
    return ImageHeader{"WebP", (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1};
  }
  if (starts(b, "VP8 ", 4, 12)) return ImageHeader{"WebP", little(b, 26, 2) & 0x3fff, little(b, 28, 2) & 0x3fff};
  return std::nullopt;
}

std::optional<ImageHeader> pnm(Bytes b) {
  int64_t numbers[2] = {0, 0};
  size_t at = 2;
  for (int64_t& number : numbers) {
    while (at < b.size() && (std::isspace(b[at]) || b[at] == '#')) {
      if (b[at] == '#')
        while (at < b.size() && b[at] != '\n') ++at;
      else
        ++at;
    }
    while (at < b.size() && std::isdigit(b[at]) && number < (int64_t{1} << 40)) number = number * 10 + (b[at++] - '0');
  }
  return ImageHeader{"PNM", numbers[0], numbers[1]};
}

}  // namespace

std::optional<ImageHeader> read_image_header(Bytes b) {
  if (b.size() < 16) return std::nullopt;
  if (b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff) return jpeg(b);
  if (starts(b, "\x89PNG\r\n\x1a\n", 8) && b.size() >= 24) return ImageHeader{"PNG", big(b, 16, 4), big(b, 20, 4)};
  if (starts(b, "BM", 2) && b.size() >= 26) {
    const auto height = static_cast<int32_t>(little(b, 22, 4));
    return ImageHeader{"BMP", static_cast<int32_t>(little(b, 18, 4)),
                       height < 0 ? -static_cast<int64_t>(height) : height};
  }
  if (starts(b, "II*\0", 4) || starts(b, "MM\0*", 4)) return tiff(b);
  if (starts(b, "RIFF", 4) && starts(b, "WEBP", 4, 8)) return webp(b);
  if (b[0] == 'P' && b[1] >= '4' && b[1] <= '6') return pnm(b);
  return std::nullopt;
}

}  // namespace graft
