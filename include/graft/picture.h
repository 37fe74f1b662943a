#pragma once

#include <cstdint>
#include <string>

namespace graft {

/// A decoded picture in the caller's memory, which outlives the call that gets it: 8-bit RGB, height × width × 3 bytes,
/// rows from top to bottom without padding between them.
struct PictureView {
  const uint8_t* pixels = nullptr;
  int64_t height = 0, width = 0;
};

/// Which picture of a call was left out, and why.
struct SkippedPicture {
  size_t index = 0;  // among the call's pictures
  std::string reason;
};

}  // namespace graft
