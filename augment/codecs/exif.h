#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "augment/position.h"

namespace graft {

// What a block of EXIF says. `block` begins with the TIFF header, or with "Exif\0\0" in front of it; damaged blocks say
// nothing.

/// The orientation, 1 to 8: 1 where it says none, or makes no sense. [EXIF 2.32, 4.6.4; tag 274]
int exif_orientation(std::span<const uint8_t> block);

/// Where the picture was taken. [EXIF 2.32, 4.6.6; tags 1 to 4 of the GPS directory]
std::optional<GeoPosition> exif_position(std::span<const uint8_t> block);

}  // namespace graft
