#include "runtime/cuda/indexing.h"

#include <gtest/gtest.h>

#include <set>

#include "runtime/cuda/geometry.h"
#include "runtime/ops/broadcast.h"

namespace graft::cuda {
namespace {

/// Every element is visited once, and lies where the strides say.
void expect_places(const Shape& shape, const Strides& first, const Strides& second) {
  const Indexer<2> places(shape, {first, second});
  ASSERT_TRUE(places.fits());
  ASSERT_EQ(places.count(), shape.elements());
  std::multiset<std::pair<int64_t, int64_t>> found, expected;
  for (int64_t i = 0; i < places.count(); ++i) {
    const auto p = places(i);
    found.insert({p.at[0], p.at[1]});
    int64_t rest = i, a = 0, b = 0;
    for (size_t d = shape.size(); d-- > 0;) {
      a += rest % shape[d] * first[d];
      b += rest % shape[d] * second[d];
      rest /= shape[d];
    }
    expected.insert({a, b});
  }
  EXPECT_EQ(found, expected) << shape.str();
}

TEST(Indexer, VisitsEveryElementWhereItLies) {
  const Shape picture{2, 3, 4, 5};
  expect_places(picture, channels_last_strides(picture), plain_strides(picture));
  expect_places(picture, plain_strides(picture), channels_last_strides(picture));
  expect_places(picture, plain_strides(picture), broadcast_strides({3, 1, 1}, {1, 1, 1}, picture));
  expect_places({7}, {-2}, {1});
  expect_places({1, 1, 4, 1}, {4, 4, 1, 1}, {0, 0, 3, 0});
  expect_places({}, {}, {});
}

TEST(Indexer, MergesWhatLiesAlike) {
  const Shape picture{2, 3, 4, 5};
  const Indexer<2> same(picture, {channels_last_strides(picture), channels_last_strides(picture)});
  EXPECT_TRUE(same.is_contiguous(0) && same.is_contiguous(1));
  const Indexer<2> turned(picture, {channels_last_strides(picture), plain_strides(picture)});
  EXPECT_FALSE(turned.is_contiguous(1));
}

TEST(Indexer, NeighboursInTheLoopAreNeighboursInTheResult) {
  const Shape picture{2, 8, 4, 4};
  const Indexer<2> places(picture, {channels_last_strides(picture), plain_strides(picture)});
  for (int64_t i = 0; i < places.count(); ++i) EXPECT_EQ(places(i).at[0], i);
}

TEST(Indexer, SaysWhenThereAreTooManyDimensions) {
  const Shape many(std::vector<int64_t>(8, 2));
  Strides turned = plain_strides(many);
  std::reverse(turned.begin(), turned.end());
  EXPECT_FALSE(Indexer<2>(many, {plain_strides(many), turned}).fits());
  EXPECT_TRUE((Indexer<2>(many, {plain_strides(many), plain_strides(many)}).fits()));
}

TEST(Geometry, CoversSmallLoopsAndFillsTheDeviceWithLargeOnes) {
  for (const int64_t n : {1, 255, 256, 257, 100000}) {
    const Geometry g = geometry(n, 132);
    EXPECT_GE(int64_t{g.blocks} * g.threads, std::min<int64_t>(n, int64_t{2048} * 132 * 4)) << n;
    EXPECT_GE(g.blocks, 1u);
  }
  const Geometry large = geometry(int64_t{1} << 40, 132);
  EXPECT_EQ(int64_t{large.blocks} * large.threads, int64_t{2048} * 132 * 4);
  EXPECT_EQ(large.threads % kWarp, 0u);
}

}  // namespace
}  // namespace graft::cuda
