#include "augment/data/picture_hash.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <set>

#include "augment/pixels/resize.h"

namespace graft {
namespace {

/// Bits of the gradient that may differ. Four bands of 16 bits find all such pairs: one of them has no differing bit.
constexpr int kBits = 3, kBands = 4;
/// Mean difference of colours, in grey levels, that may be between like pictures.
constexpr int kLevels = 10;

bool near(const PictureHash& a, const PictureHash& b) {
  if (std::popcount(a.gradient ^ b.gradient) > kBits) return false;
  int difference = 0;
  for (size_t i = 0; i < a.colours.size(); ++i) difference += std::abs(a.colours[i] - b.colours[i]);
  return difference <= kLevels * static_cast<int>(a.colours.size());
}

}  // namespace

PictureHash hash_of(const Image& image) {
  PictureHash hash;
  const Image small = resize(image, whole(image), 9, 8), colours = resize(image, whole(image), 4, 4);
  const auto grey = [&](int64_t x, int64_t y) {
    const uint8_t* p = small.row(y) + 3 * x;
    return 299 * p[0] + 587 * p[1] + 114 * p[2];
  };
  for (int64_t y = 0; y < 8; ++y)
    for (int64_t x = 0; x < 8; ++x) hash.gradient = hash.gradient << 1 | (grey(x, y) < grey(x + 1, y) ? 1 : 0);
  std::copy_n(colours.pixels.begin(), hash.colours.size(), hash.colours.begin());
  hash.pixels = 0xcbf29ce484222325ull ^ static_cast<uint64_t>(image.width);  // FNV-1a
  for (const uint8_t p : image.pixels) hash.pixels = (hash.pixels ^ p) * 0x100000001b3ull;
  return hash;
}

std::vector<Likeness> like_pictures(const std::vector<PictureHash>& hashes) {
  std::set<std::pair<size_t, size_t>> pairs;
  for (int band = 0; band < kBands; ++band) {
    std::map<uint64_t, std::vector<size_t>> buckets;
    for (size_t i = 0; i < hashes.size(); ++i) buckets[hashes[i].gradient >> (16 * band) & 0xffff].push_back(i);
    for (const auto& [bits, members] : buckets)
      for (size_t a = 0; a < members.size(); ++a)
        for (size_t b = a + 1; b < members.size(); ++b)
          if (near(hashes[members[a]], hashes[members[b]])) pairs.emplace(members[a], members[b]);
  }
  std::vector<Likeness> like;
  for (const auto& [a, b] : pairs) like.push_back({a, b, hashes[a].pixels == hashes[b].pixels});
  return like;
}

}  // namespace graft
