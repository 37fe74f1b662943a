#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "augment/decode.h"
#include "augment/pixels/image.h"

namespace graft {

class Codec;

/// A picture file whose header was read and whose pixels come when they are asked for: a crop then takes the time of
/// its own pixels. What it throws is what decode_image() throws.
class EncodedPicture {
 public:
  EncodedPicture(const std::string& path, const DecodeOptions& options);
  /// The bytes must outlive it.
  EncodedPicture(std::span<const uint8_t> bytes, const DecodeOptions& options);
  EncodedPicture(EncodedPicture&&) noexcept = default;
  EncodedPicture& operator=(EncodedPicture&&) noexcept = default;

  /// Whether decode(part) takes less time than decode(); only then are width() and height() known.
  bool decodes_parts() const;
  /// Upright and at its full size.
  int64_t width() const { return width_; }
  int64_t height() const { return height_; }
  Image decode() const;
  /// Those pixels of it that stand in `part` (of its full size) and some beside it, as far as there are any; each is
  /// the same as decode()'s. Damage elsewhere in the file is an error too. Needs decodes_parts().
  ImagePart decode(const Box& part) const;

 private:
  void read_header();
  ImagePart decoded(const std::optional<Box>& part) const;
  ImagePart decoded_in_memory(const std::optional<Box>& part) const;

  std::vector<uint8_t> owned_;
  std::span<const uint8_t> bytes_;
  std::string path_;  // empty: the caller knows
  DecodeOptions options_;
  const Codec* codec_ = nullptr;
  int64_t stored_width_ = 0, stored_height_ = 0, width_ = 0, height_ = 0;
  Orientation orientation_;
};

}  // namespace graft
