#include "augment/position.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "augment/codecs/exif.h"

namespace graft {
namespace {

/// A block of EXIF with a GPS directory, in either order of bytes.
class Block {
 public:
  explicit Block(bool little) : little_(little) {
    text(little ? std::string("II*\0", 4) : std::string("MM\0*", 4)), put(8, 4);
  }
  void put(uint32_t value, size_t n) {
    for (size_t i = 0; i < n; ++i) bytes_.push_back(static_cast<uint8_t>(value >> 8 * (little_ ? i : n - 1 - i)));
  }
  void text(const std::string& s) { bytes_.insert(bytes_.end(), s.begin(), s.end()); }
  void entry(uint32_t tag, uint32_t type, uint32_t count, uint32_t value) {
    put(tag, 2), put(type, 2), put(count, 4), put(value, 4);
  }
  void letter(uint32_t tag, char c) {
    put(tag, 2), put(2, 2), put(2, 4);
    text(std::string{c, '\0', '\0', '\0'});
  }
  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
  bool little_;
};

struct Fraction {
  uint32_t above, below;
};

std::vector<uint8_t> located(bool little, char north, std::vector<Fraction> latitude, char east,
                             std::vector<Fraction> longitude) {
  Block block(little);
  block.put(1, 2);
  block.entry(34853, 4, 1, 26);  // the GPS directory, behind this one
  block.put(0, 4);
  block.put(4, 2);
  const uint32_t angles = 26 + 2 + 4 * 12 + 4;
  block.letter(1, north);
  block.entry(2, 5, static_cast<uint32_t>(latitude.size()), angles);
  block.letter(3, east);
  block.entry(4, 5, static_cast<uint32_t>(longitude.size()), angles + 8 * static_cast<uint32_t>(latitude.size()));
  block.put(0, 4);
  for (const auto& angle : {latitude, longitude})
    for (const Fraction& f : angle) block.put(f.above, 4), block.put(f.below, 4);
  return block.bytes();
}

TEST(ExifPosition, IsDegreesMinutesAndSecondsOnEitherSide) {
  for (const bool little : {true, false}) {
    const auto there =
        exif_position(located(little, 'N', {{37, 1}, {44, 1}, {4488, 100}}, 'W', {{119, 1}, {32, 1}, {0, 1}}));
    ASSERT_TRUE(there);
    EXPECT_NEAR(there->latitude, 37 + 44 / 60.0 + 44.88 / 3600, 1e-9);
    EXPECT_NEAR(there->longitude, -(119 + 32 / 60.0), 1e-9);
    const auto south = exif_position(located(little, 'S', {{335, 10}}, 'E', {{151, 1}, {1225, 100}}));
    ASSERT_TRUE(south);
    EXPECT_NEAR(south->latitude, -33.5, 1e-9);
    EXPECT_NEAR(south->longitude, 151 + 12.25 / 60, 1e-9);
  }
}

TEST(ExifPosition, SecondsThatNobodyKnowsAreZero) {
  const auto there = exif_position(located(true, 'N', {{10, 1}, {30, 1}, {0, 0}}, 'E', {{20, 1}, {0, 1}, {0, 0}}));
  ASSERT_TRUE(there);
  EXPECT_NEAR(there->latitude, 10.5, 1e-9);
}

TEST(ExifPosition, WhatIsNoPlaceOnEarthIsNone) {
  EXPECT_FALSE(exif_position(located(true, 'X', {{10, 1}}, 'E', {{20, 1}})));
  EXPECT_FALSE(exif_position(located(true, 'N', {{91, 1}}, 'E', {{20, 1}})));
  EXPECT_FALSE(exif_position(located(true, 'N', {{10, 1}}, 'E', {{181, 1}})));
  EXPECT_FALSE(exif_position(located(true, 'N', {{10, 0}}, 'E', {{20, 1}})));
  // What cameras write that have not found their place yet.
  EXPECT_FALSE(exif_position(located(true, 'N', {{0, 0}, {0, 0}, {0, 0}}, 'E', {{0, 0}, {0, 0}, {0, 0}})));
  EXPECT_FALSE(exif_position({}));
}

TEST(ExifPosition, ABlockThatEndsAnywhereIsReadNoFurther) {
  const auto whole = located(true, 'N', {{10, 1}, {1, 1}, {1, 1}}, 'E', {{20, 1}, {1, 1}, {1, 1}});
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::vector<uint8_t> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(exif_position(part)) << size;
  }
}

TEST(PicturePosition, OfWhatIsNoPictureIsNone) {
  const std::string text = "no picture at all";
  EXPECT_FALSE(picture_position({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
}

}  // namespace
}  // namespace graft
