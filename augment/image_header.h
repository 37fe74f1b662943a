#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace graft {

struct ImageHeader {
  std::string_view format;  // "JPEG", "PNG", …
  int64_t width = 0, height = 0;
};

/// What the first bytes (all of the file, for JPEG and TIFF) say about a picture, without decoding it; nothing when
/// they are none of the formats that graft reads.
std::optional<ImageHeader> read_image_header(std::span<const uint8_t> bytes);

}  // namespace graft
