#pragma once

#include <cstdint>

namespace graft {

/// A batch of pictures as bytes, with what makes them a network's input: each picture is turned as its mark says, and
/// value = table[channel·256 + byte]. Nothing is owned.
struct PictureBytes {
  enum Turn : uint8_t { kMirrored = 1, kUpsideDown = 2, kBlank = 4 };  // kBlank: zeros, whatever the bytes are
  const uint8_t* pixels = nullptr;                                     // pictures × height × width × channels
  const uint8_t* turns = nullptr;                                      // a mark a picture: any of Turn together
  const float* table = nullptr;                                        // channels × 256
  int64_t pictures = 0, height = 0, width = 0, channels = 0;
};

}  // namespace graft
