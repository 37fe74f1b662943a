#include "augment/codecs/exif.h"

#include "augment/codecs/bytes.h"

namespace graft {
namespace {

constexpr uint32_t kOrientation = 274, kGpsDirectory = 34853;
constexpr uint32_t kLatitudeRef = 1, kLatitude = 2, kLongitudeRef = 3, kLongitude = 4;  // of the GPS directory
constexpr uint32_t kAscii = 2, kShort = 3, kLong = 4, kRational = 5;

/// A block whose directories are looked into; every place is checked before it is read.
class Directories {
 public:
  explicit Directories(std::span<const uint8_t> block) : block_(block) {
    if (has_text_at(block_, 0, {"Exif\0\0", 6})) block_ = block_.subspan(6);
    little_ = has_text_at(block_, 0, {"II*\0", 4});
    valid_ = block_.size() >= 8 && (little_ || has_text_at(block_, 0, {"MM\0*", 4}));
  }
  std::optional<size_t> first() const { return valid_ ? std::optional<size_t>(number(4, 4)) : std::nullopt; }

  struct Entry {
    uint32_t type, count;
    size_t value;  // where it, or what says where it is, stands
  };
  std::optional<Entry> find(size_t directory, uint32_t tag) const {
    if (directory > block_.size() || block_.size() - directory < 2) return std::nullopt;
    const size_t entries = number(directory, 2);
    for (size_t i = 0; i < entries && block_.size() - directory >= 2 + 12 * (i + 1); ++i) {
      const size_t at = directory + 2 + 12 * i;
      if (number(at, 2) == tag) return Entry{number(at + 2, 2), number(at + 4, 4), at + 8};
    }
    return std::nullopt;
  }
  /// A whole number of 16 or 32 bits.
  std::optional<uint32_t> whole(size_t directory, uint32_t tag) const {
    const auto entry = find(directory, tag);
    if (!entry || (entry->type != kShort && entry->type != kLong)) return std::nullopt;
    return number(entry->value, entry->type == kShort ? 2 : 4);
  }
  /// The first letter of a short text.
  char letter(size_t directory, uint32_t tag) const {
    const auto entry = find(directory, tag);
    return entry && entry->type == kAscii && entry->count >= 1 && entry->count <= 4
               ? static_cast<char>(block_[entry->value])
               : '\0';
  }
  /// Degrees, minutes and seconds, each a fraction.
  std::optional<double> angle(size_t directory, uint32_t tag) const {
    const auto entry = find(directory, tag);
    if (!entry || entry->type != kRational || entry->count < 1 || entry->count > 3) return std::nullopt;
    const size_t at = number(entry->value, 4), bytes = size_t{8} * entry->count;
    if (at > block_.size() || block_.size() - at < bytes) return std::nullopt;
    double degrees = 0, unit = 1;
    for (size_t i = 0; i < entry->count; ++i, unit /= 60) {
      const uint32_t above = number(at + 8 * i, 4), below = number(at + 8 * i + 4, 4);
      if (below == 0 && (above != 0 || i == 0)) return std::nullopt;
      if (below != 0) degrees += unit * above / below;  // 0/0: seconds that nobody knows
    }
    return degrees;
  }

 private:
  uint32_t number(size_t at, size_t n) const {
    return little_ ? little_endian(block_, at, n) : big_endian(block_, at, n);
  }
  std::span<const uint8_t> block_;
  bool little_ = false, valid_ = false;
};

}  // namespace

int exif_orientation(std::span<const uint8_t> block) {
  const Directories directories(block);
  const auto first = directories.first();
  const auto orientation = first ? directories.whole(*first, kOrientation) : std::nullopt;
  return orientation && *orientation >= 1 && *orientation <= 8 ? static_cast<int>(*orientation) : 1;
}

std::optional<GeoPosition> exif_position(std::span<const uint8_t> block) {
  const Directories directories(block);
  const auto first = directories.first();
  const auto gps = first ? directories.whole(*first, kGpsDirectory) : std::nullopt;
  if (!gps) return std::nullopt;
  const auto latitude = directories.angle(*gps, kLatitude), longitude = directories.angle(*gps, kLongitude);
  const char north = directories.letter(*gps, kLatitudeRef), east = directories.letter(*gps, kLongitudeRef);
  if (!latitude || !longitude || *latitude > 90 || *longitude > 180) return std::nullopt;
  if ((north != 'N' && north != 'S') || (east != 'E' && east != 'W')) return std::nullopt;
  return GeoPosition{north == 'S' ? -*latitude : *latitude, east == 'W' ? -*longitude : *longitude};
}

}  // namespace graft
