#include "augment/codecs/exif.h"

#include "augment/codecs/bytes.h"

namespace graft {
namespace {

constexpr uint32_t kOrientation = 274, kShort = 3, kLong = 4;

}  // namespace

int exif_orientation(std::span<const uint8_t> block) {
  if (has_text_at(block, 0, {"Exif\0\0", 6})) block = block.subspan(6);
  const bool little = has_text_at(block, 0, {"II*\0", 4});
  if (block.size() < 8 || (!little && !has_text_at(block, 0, {"MM\0*", 4}))) return 1;
  const auto number = [&](size_t at, size_t n) {
    return little ? little_endian(block, at, n) : big_endian(block, at, n);
  };
  const size_t directory = number(4, 4);
  if (directory > block.size() || block.size() - directory < 2) return 1;
  const size_t entries = number(directory, 2);
  for (size_t i = 0; i < entries && block.size() - directory >= 2 + 12 * (i + 1); ++i) {
    const size_t at = directory + 2 + 12 * i;
    const uint32_t type = number(at + 2, 2);
    if (number(at, 2) != kOrientation || (type != kShort && type != kLong)) continue;
    const auto orientation = static_cast<int64_t>(number(at + 8, type == kShort ? 2 : 4));
    return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
  }
  return 1;
}

}  // namespace graft
