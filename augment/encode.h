#pragma once

#include <string>

#include "augment/image.h"

namespace graft {

/// Writes a PNG or JPEG by the path's extension, beside and renamed. Throws Error.
void write_image(const Image& image, const std::string& path);

}  // namespace graft
