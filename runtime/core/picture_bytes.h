#pragma once

#include <cstdint>

#include "runtime/core/host_device.h"

namespace graft {

/// A batch of pictures as bytes, with what makes them a network's input: each picture is turned as its mark says, and
/// value = table[channel·256 + byte]. Nothing is owned.
struct PictureBytes {
  enum Turn : uint8_t { kMirrored = 1, kUpsideDown = 2, kBlank = 4 };  // kBlank: zeros, whatever the bytes are
  const uint8_t* pixels = nullptr;                                     // pictures × height × width × channels
  const uint8_t* turns = nullptr;                                      // a mark a picture: any of Turn together
  const float* table = nullptr;                                        // channels × 256
  int64_t pictures = 0, height = 0, width = 0, channels = 0;

  int64_t elements() const { return pictures * height * width * channels; }
  /// Element i of the input, in the order picture, row, column, channel.
  GRAFT_DEVICE float value(int64_t i) const {
    const int64_t c = i % channels, pixel = i / channels, x = pixel % width, row = pixel / width, y = row % height,
                  picture = row / height;
    const int turn = turns[picture];
    const int64_t left = turn & kMirrored ? width - 1 - x : x, top = turn & kUpsideDown ? height - 1 - y : y;
    const int byte = pixels[((picture * height + top) * width + left) * channels + c];
    return turn & kBlank ? 0.0f : table[c * 256 + byte];
  }
};

}  // namespace graft
