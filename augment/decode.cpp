#include "augment/decode.h"

#include <filesystem>
#include <fstream>
#include <utility>

#include "augment/codecs/codec.h"
#include "augment/codecs/colour_profile.h"
#include "augment/data/tar_archive.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// Above the largest camera's and phone's 200 megapixels: 600 MB as RGB.
constexpr int64_t kLargestPixels = 200'000'000;
constexpr std::streamoff kLargestFile = std::streamoff{1} << 30;

void check_size(const PictureHeader& header) {
  if (header.width <= 0 || header.height <= 0) throw Error("has no pixels");
  if (header.height > kLargestPixels / header.width) {
    throw Error("is " + std::to_string(header.width) + "×" + std::to_string(header.height) +
                ", over the limit of 200 megapixels");
  }
}

uint8_t scaled(unsigned value, unsigned by) { return static_cast<uint8_t>((value * by + 127) / 255); }

/// RGB in the place of other channels.
void to_rgb(RawPicture& picture, const DecodeOptions& options) {
  if (picture.kind == RawPicture::Kind::rgb) return;
  uint8_t* to = picture.pixels.data();
  const uint8_t* end = to + picture.pixels.size();
  const bool inks = picture.kind == RawPicture::Kind::cmyk;
  for (const uint8_t* from = to; from != end; from += 4, to += 3)
    for (size_t c = 0; c < 3; ++c) {
      if (inks)
        to[c] = scaled(from[c], from[3]);
      else if (options.background)
        to[c] = static_cast<uint8_t>((from[c] * from[3] + (*options.background)[c] * (255 - from[3]) + 127) / 255);
      else
        to[c] = from[c];
    }
  picture.pixels.resize(picture.pixels.size() / 4 * 3);
  picture.kind = RawPicture::Kind::rgb;
}

Image decoded_in_memory(std::span<const uint8_t> bytes, const DecodeOptions& options) {
  const Codec* codec = codec_of(bytes);
  if (!codec) throw Error("is not a " + codec_names() + " picture");
  const PictureHeader header = codec->header(bytes);
  check_size(header);
  RawPicture raw = codec->decode(bytes, options.least_side);
  check_size({raw.width, raw.height});  // of some containers only the data says it
  if (options.profiles) to_srgb(raw);
  to_rgb(raw, options);
  Image image;
  image.width = raw.width;
  image.height = raw.height;
  image.pixels = std::move(raw.pixels);
  if (raw.part < 1) {
    image.full_width = header.width;
    image.full_height = header.height;
    image.part = raw.part;
  }
  return turned(std::move(image), raw.orientation);
}

Image decoded(std::span<const uint8_t> bytes, const DecodeOptions& options) {
  try {
    return decoded_in_memory(bytes, options);
  } catch (const std::bad_alloc&) {
    throw Error("takes more memory than there is", {}, ErrorCode::out_of_memory);
  }
}

}  // namespace

std::vector<uint8_t> read_picture_file(const std::string& path) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status))
    if (const auto inside = path_in_tar(path)) return read_from_tar(*inside);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw Error(std::filesystem::is_directory(status) ? "is a folder" : "is no file");
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) throw Error("cannot be opened", {}, ErrorCode::not_found);
  const std::streamoff size = stream.tellg();
  if (size <= 0) throw Error("is empty");
  if (size > kLargestFile) throw Error("is larger than 1 GiB");
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  stream.seekg(0);
  if (!stream.read(reinterpret_cast<char*>(bytes.data()), size)) throw Error("cannot be read", {}, ErrorCode::io);
  return bytes;
}

Image decode_image(std::span<const uint8_t> bytes, const DecodeOptions& options) {
  return with_code(ErrorCode::corrupt_file, [&] { return decoded(bytes, options); });
}

Image decode_image(const std::string& path, const DecodeOptions& options) {
  return with_place(
      [&] { return path; },
      [&] { return with_code(ErrorCode::corrupt_file, [&] { return decoded(read_picture_file(path), options); }); });
}

}  // namespace graft
