#include "augment/position.h"

#include "augment/codecs/codec.h"
#include "augment/codecs/exif.h"
#include "runtime/core/error.h"

namespace graft {

std::optional<GeoPosition> picture_position(std::span<const uint8_t> bytes) {
  const Codec* const codec = codec_of(bytes);
  if (!codec) return std::nullopt;
  try {
    return exif_position(codec->exif(bytes));
  } catch (const Error&) {  // of a damaged file, or of a library that is not there: decoding will say it
    return std::nullopt;
  }
}

}  // namespace graft
