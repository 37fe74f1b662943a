#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "augment/pixels/image.h"

namespace graft {

/// What is kept of a picture to find others like it.
struct PictureHash {
  uint64_t gradient = 0;  // of a 9×8 grey miniature, whether it grows brighter to the right [Krawetz 2013, dHash]
  std::array<uint8_t, 48> colours{};  // of a 4×4 miniature
  uint64_t pixels = 0;                // of all pixels and the size: copies have the same
};
PictureHash hash_of(const Image& image);

/// Two pictures that are the same, or nearly: resized, recompressed, slightly cropped or relit.
struct Likeness {
  size_t first = 0, second = 0;  // indices, first < second
  bool same_pixels = false;
};
/// Every pair of like pictures, by indices. Near ones have gradients within 3 bits and colours within a few levels.
std::vector<Likeness> like_pictures(const std::vector<PictureHash>& hashes);

}  // namespace graft
