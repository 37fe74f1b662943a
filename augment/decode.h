#pragma once

#include <string>

#include "augment/image.h"

namespace graft {

/// Reads a JPEG, PNG, BMP, TIFF, WebP or PNM file as RGB, turned upright as its EXIF orientation says; greyscale is
/// repeated, transparency dropped, 16 bits cut to 8. The header is checked first: a picture over 100 megapixels is
/// refused before anything of it is decoded. Throws Error with the reason; safe to call from several threads.
Image decode_image(const std::string& path);

/// Writes a PNG or JPEG by the path's extension, beside and renamed. Throws Error.
void write_image(const Image& image, const std::string& path);

}  // namespace graft
