#pragma once

#include <cstdint>
#include <span>

namespace graft {

/// The orientation that a block of EXIF says, 1 to 8: 1 where it says none, or makes no sense. `block` begins with the
/// TIFF header, or with "Exif\0\0" in front of it. [EXIF 2.32, 4.6.4; tag 274]
int exif_orientation(std::span<const uint8_t> block);

}  // namespace graft
