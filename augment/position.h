#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace graft {

/// In degrees, north and east of zero. [WGS 84, as EXIF and GeoJSON have it]
struct GeoPosition {
  double latitude = 0, longitude = 0;
};

/// Where a picture file's EXIF says that it was taken: of JPEG, PNG, WebP, TIFF, HEIC and AVIF. None where it does not
/// say, or says what is no place on earth. No pixel is decoded.
std::optional<GeoPosition> picture_position(std::span<const uint8_t> bytes);

}  // namespace graft
