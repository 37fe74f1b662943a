#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "augment/pixels/image.h"

namespace graft {

/// Writes a PNG or JPEG by the path's extension, beside and renamed. Throws Error.
void write_image(const Image& image, const std::string& path);

/// A JPEG's bytes; `quality` 1 to 100, as libjpeg counts it. Throws Error for sides over 65500 pixels.
std::vector<uint8_t> jpeg_of(const Image& image, int quality = 95);

}  // namespace graft
