#include "augment/encoded_picture.h"

#include <algorithm>
#include <new>
#include <tuple>
#include <utility>

#include "augment/codecs/codec.h"
#include "augment/codecs/colour_profile.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// Above the largest camera's and phone's 200 megapixels: 600 MB as RGB.
constexpr int64_t kLargestPixels = 200'000'000;

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

/// Where a part of an upright picture of width × height is stored.
Box stored(Box part, double width, double height, const Orientation& orientation) {
  if (orientation.mirrored) std::tie(part.left, part.right) = std::pair{width - part.right, width - part.left};
  if (orientation.upside_down) std::tie(part.top, part.bottom) = std::pair{height - part.bottom, height - part.top};
  if (orientation.transposed) return {part.top, part.left, part.bottom, part.right};
  return part;
}

/// Where what is stored at `left`, `top` of a picture stands in the upright one; `part` has its pixels upright already.
void place(ImagePart& part, int64_t left, int64_t top, const Orientation& orientation) {
  if (orientation.transposed) std::swap(left, top);
  part.window = {left, top, part.pixels.width, part.pixels.height};
  if (orientation.mirrored) part.window.left = part.width - left - part.window.width;
  if (orientation.upside_down) part.window.top = part.height - top - part.window.height;
}

}  // namespace

EncodedPicture::EncodedPicture(const std::string& path, const DecodeOptions& options) : path_(path), options_(options) {
  with_place([&] { return path_; },
             [&] {
               with_code(ErrorCode::corrupt_file, [&] {
                 owned_ = read_picture_file(path);
                 bytes_ = owned_;
                 read_header();
               });
             });
}

EncodedPicture::EncodedPicture(std::span<const uint8_t> bytes, const DecodeOptions& options)
    : bytes_(bytes), options_(options) {
  with_code(ErrorCode::corrupt_file, [&] { read_header(); });
}

bool EncodedPicture::decodes_parts() const { return codec_->decodes_parts(); }

void EncodedPicture::read_header() {
  codec_ = codec_of(bytes_);
  if (!codec_) throw Error("is not a " + codec_names() + " picture");
  const PictureHeader header = codec_->header(bytes_);
  check_size(header);
  stored_width_ = header.width;
  stored_height_ = header.height;
  orientation_ = orientation_of(header.orientation);
  std::tie(width_, height_) =
      orientation_.transposed ? std::pair{header.height, header.width} : std::pair{header.width, header.height};
}

ImagePart EncodedPicture::decoded_in_memory(const std::optional<Box>& part) const {
  DecodeRequest request{.least_side = options_.least_side};
  if (part) request.part = stored(*part, static_cast<double>(width_), static_cast<double>(height_), orientation_);
  RawPicture raw = codec_->decode(bytes_, request);
  check_size({raw.width, raw.height});  // of some containers only the data says it
  if (options_.profiles) to_srgb(raw);
  to_rgb(raw, options_);
  Image image;
  image.width = raw.width;
  image.height = raw.height;
  image.pixels = std::move(raw.pixels);
  if (raw.part < 1) {
    image.full_width = stored_width_;
    image.full_height = stored_height_;
    image.part = raw.part;
  }
  ImagePart result;
  result.pixels = turned(std::move(image), raw.orientation);
  result.width = raw.all_width > 0 ? raw.all_width : raw.width;
  result.height = raw.all_height > 0 ? raw.all_height : raw.height;
  const Orientation orientation = orientation_of(raw.orientation);
  if (orientation.transposed) std::swap(result.width, result.height);
  place(result, raw.left, raw.top, orientation);
  return result;
}

ImagePart EncodedPicture::decoded(const std::optional<Box>& part) const {
  const auto decode = [&] {
    return with_code(ErrorCode::corrupt_file, [&] {
      try {
        return decoded_in_memory(part);
      } catch (const std::bad_alloc&) {
        throw Error("takes more memory than there is", {}, ErrorCode::out_of_memory);
      }
    });
  };
  return path_.empty() ? decode() : with_place([&] { return path_; }, decode);
}

Image EncodedPicture::decode() const { return decoded({}).pixels; }
ImagePart EncodedPicture::decode(const Box& part) const { return decoded(part); }

}  // namespace graft
