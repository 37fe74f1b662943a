#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "augment/pixels/image.h"

namespace graft {

/// How a file becomes a picture.
struct DecodeOptions {
  bool profiles = true;  // colours that an ICC profile describes become sRGB
  /// What shows through transparent pixels; none: their colour as it is stored, as Pillow's convert("RGB") has it.
  std::optional<std::array<uint8_t, 3>> background{};
  /// A JPEG may come at a half, a quarter or an eighth of its size, as long as its shorter side keeps so many pixels;
  /// 0: at its own size.
  int64_t least_side = 0;
};

/// Reads a picture file (see codec_names()) as RGB, turned upright as its EXIF orientation says: the first frame of
/// several, greyscale repeated, 16 bits cut to 8, inks turned into RGB. The header is checked first: a picture over 200
/// megapixels is refused before anything of it is decoded. Throws Error with the file's name and the reason; safe to
/// call from several threads.
Image decode_image(const std::string& path, const DecodeOptions& options = {});

/// The same of a file's bytes.
Image decode_image(std::span<const uint8_t> bytes, const DecodeOptions& options = {});

/// A file's bytes, one in a tar archive too (ARCHIVE.tar/NAME). Throws Error without its name; over 1 GiB is an error.
std::vector<uint8_t> read_picture_file(const std::string& path);

}  // namespace graft
