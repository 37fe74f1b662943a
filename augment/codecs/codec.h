#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "augment/pixels/image.h"

namespace graft {

/// What a file's first bytes say about its picture: of the first frame, pixels as they are stored.
struct PictureHeader {
  int64_t width = 0, height = 0;
  int orientation = 1;  // EXIF's, 1 to 8, of a codec that decodes parts; that of others comes with the pixels
};

/// Pixels as a container holds them, before they are turned upright and made RGB.
struct RawPicture {
  enum class Kind : uint8_t { rgb, rgba, cmyk };  // cmyk: 255 is no ink
  int64_t width = 0, height = 0;
  Kind kind = Kind::rgb;
  std::vector<uint8_t> pixels;   // height × width × 3 or 4, 8 bits each
  std::vector<uint8_t> profile;  // the embedded ICC profile; empty where there is none
  bool grey = false;             // one channel, repeated: so is what the profile is for
  int orientation = 1;           // EXIF's, 1 to 8
  double part = 1;               // of its size, at which it was decoded
  /// Of a picture of which a part was asked for: where it stands, and the size of all of it, as it was decoded.
  int64_t left = 0, top = 0, all_width = 0, all_height = 0;
};

/// What is wanted of a picture.
struct DecodeRequest {
  /// It may come smaller, in whole steps that the format has, as long as its shorter side keeps so many pixels; 0: as
  /// it is.
  int64_t least_side = 0;
  /// The part, in pixels of its full size as it is stored; what reaches beyond the picture is left out. None: all.
  std::optional<Box> part{};
  /// Pixels beside that part, as decoded, which must be there too.
  static constexpr int64_t kBeside = 4;
};

/// A picture file's format. Codecs hold no state: any thread may use them.
class Codec {
 public:
  virtual ~Codec() = default;
  virtual std::string_view name() const = 0;  // "JPEG"
  /// Whether the file's first bytes are this format's. `bytes` may be shorter than any header.
  virtual bool recognises(std::span<const uint8_t> bytes) const = 0;
  /// Without decoding any pixel. Throws Error where there is none to be read.
  virtual PictureHeader header(std::span<const uint8_t> bytes) const = 0;
  /// Its block of EXIF, as exif_position() takes it; empty where there is none. No pixel is decoded. Throws Error where
  /// the file cannot be read.
  virtual std::vector<uint8_t> exif(std::span<const uint8_t>) const { return {}; }
  /// Whether decode() takes less time for a part of a picture; a codec that does not gives all of it.
  virtual bool decodes_parts() const { return false; }
  /// The first frame. All of the file is read, so that what is damaged or missing is found whichever part is asked for.
  /// Throws Error saying what is wrong.
  virtual RawPicture decode(std::span<const uint8_t> bytes, const DecodeRequest& request) const = 0;
};
using CodecPtr = std::unique_ptr<Codec>;

CodecPtr make_jpeg_codec();
CodecPtr make_png_codec();
CodecPtr make_webp_codec();
CodecPtr make_gif_codec();
CodecPtr make_tiff_codec();
CodecPtr make_heif_codec();
CodecPtr make_bmp_codec();
CodecPtr make_pnm_codec();

/// Every codec.
const std::vector<CodecPtr>& codecs();
/// The one that recognises a file's bytes; null where none does.
const Codec* codec_of(std::span<const uint8_t> bytes);
/// "JPEG, PNG, … or PNM"
const std::string& codec_names();

}  // namespace graft
