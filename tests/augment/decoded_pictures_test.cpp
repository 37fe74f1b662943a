#include "augment/decoded_pictures.h"

#include <gtest/gtest.h>

namespace graft {
namespace {

TEST(DecodedPictures, KeepsWhatFits) {
  DecodedPictures kept(3 * 100 * 2);
  EXPECT_EQ(kept.find("a", {}), nullptr);
  const auto a = kept.keep("a", {}, Image(10, 10));
  EXPECT_EQ(kept.find("a", {}), a);
  EXPECT_TRUE(kept.has_room());
  kept.keep("a", {}, Image(10, 10));  // by another thread at the same time
  EXPECT_EQ(kept.use().bytes, 300u);
  kept.keep("b", {}, Image(10, 10));
  EXPECT_TRUE(kept.has_room());
  EXPECT_EQ(kept.keep("c", {}, Image(1, 1))->width, 1);
  EXPECT_FALSE(kept.has_room());
  EXPECT_EQ(kept.find("c", {}), nullptr);
  EXPECT_EQ(kept.use().pictures, 2u);
  EXPECT_TRUE(kept.use().full);
}

TEST(DecodedPictures, AnotherDecodingIsAnotherPicture) {
  DecodedPictures kept(1 << 20);
  kept.keep("a", {}, Image(2, 2));
  EXPECT_EQ(kept.find("a", {.profiles = false}), nullptr);
  EXPECT_EQ(kept.find("a", {.background = {{1, 2, 3}}}), nullptr);
  EXPECT_EQ(kept.find("a", {.least_side = 4}), nullptr);
  EXPECT_NE(kept.find("a", {}), nullptr);
}

}  // namespace
}  // namespace graft
