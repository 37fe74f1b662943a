#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace graft {

/// A decoded picture in the caller's memory, which outlives the call that gets it: 8-bit RGB, height × width × 3 bytes,
/// rows from top to bottom without padding between them.
struct PictureView {
  const uint8_t* pixels = nullptr;
  int64_t height = 0, width = 0;
};

/// A picture file's bytes in the caller's memory, which outlive the call that gets them.
struct EncodedPictureView {
  std::span<const uint8_t> bytes;
  std::string name;  // how errors call it; may be empty
};

/// Which picture of a call was left out, and why.
struct SkippedPicture {
  size_t index = 0;  // among the call's pictures
  std::string reason;
};

}  // namespace graft
