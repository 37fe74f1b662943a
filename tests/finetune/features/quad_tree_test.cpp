#include "finetune/features/quad_tree.h"

#include <gtest/gtest.h>

#include <cmath>

#include "finetune/features/neighbours.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

std::vector<double> clustered(size_t points, uint64_t seed) {
  Random random(seed);
  std::vector<double> places;
  for (size_t i = 0; i < points; ++i)
    for (int axis = 0; axis < 2; ++axis)
      places.push_back(static_cast<double>(20 * random.uniform() * static_cast<float>(i % 5) + random.normal()));
  return places;
}

QuadTree::Sums by_hand(const std::vector<double>& places, size_t point) {
  QuadTree::Sums sums;
  for (size_t j = 0; 2 * j < places.size(); ++j) {
    if (j == point) continue;
    const double dx = places[2 * point] - places[2 * j], dy = places[2 * point + 1] - places[2 * j + 1],
                 w = 1 / (1 + dx * dx + dy * dy);
    sums.weights += w;
    sums.x += w * w * dx;
    sums.y += w * w * dy;
  }
  return sums;
}

TEST(QuadTree, WithoutAnAngleIsTheSumOverAll) {
  const std::vector<double> places = clustered(300, 1);
  const QuadTree tree(places);
  for (size_t i = 0; i < 300; ++i) {
    const QuadTree::Sums sums = tree.sums(i, 0), expected = by_hand(places, i);
    EXPECT_NEAR(sums.weights, expected.weights, 1e-9);
    EXPECT_NEAR(sums.x, expected.x, 1e-9);
    EXPECT_NEAR(sums.y, expected.y, 1e-9);
  }
}

TEST(QuadTree, WithAnAngleIsNearlyThat) {
  const std::vector<double> places = clustered(3000, 2);
  const QuadTree tree(places);
  double off = 0, size = 0, weights = 0, expected_weights = 0;
  for (size_t i = 0; i < 3000; ++i) {
    const QuadTree::Sums sums = tree.sums(i, 0.5), expected = by_hand(places, i);
    off += std::hypot(sums.x - expected.x, sums.y - expected.y);
    size += std::hypot(expected.x, expected.y);
    weights += sums.weights;
    expected_weights += expected.weights;
  }
  EXPECT_LT(off / size, 0.02);
  EXPECT_NEAR(weights / expected_weights, 1, 0.01);
}

TEST(QuadTree, PointsOnEachOtherAndAlone) {
  const std::vector<double> same(40, 3.0);
  EXPECT_EQ(QuadTree(same).sums(7, 0.5).weights, 19);
  EXPECT_EQ(QuadTree(std::vector<double>{1, 2}).sums(0, 0.5).weights, 0);
}

TEST(NearestNeighbours, AreThoseOfASort) {
  constexpr int64_t kSamples = 700, kWidth = 9, kEach = 12;  // more than one block
  Random random(5);
  std::vector<float> features;
  for (int64_t i = 0; i < kSamples * kWidth; ++i) features.push_back(100 + random.normal());
  const Neighbours near = nearest_neighbours(features, kSamples, kEach);
  for (int64_t i = 0; i < kSamples; i += 31) {
    std::vector<std::pair<double, int32_t>> order;
    for (int64_t j = 0; j < kSamples; ++j) {
      double sum = 0;
      for (int64_t d = 0; d < kWidth; ++d)
        sum += std::pow(static_cast<double>(features[static_cast<size_t>(i * kWidth + d)]) -
                            static_cast<double>(features[static_cast<size_t>(j * kWidth + d)]),
                        2);
      if (i != j) order.emplace_back(sum, static_cast<int32_t>(j));
    }
    std::sort(order.begin(), order.end());
    for (int64_t k = 0; k < kEach; ++k) {
      EXPECT_NEAR(near.distance[static_cast<size_t>(i * kEach + k)], order[static_cast<size_t>(k)].first, 0.02);
      if (k < 3) {
        EXPECT_EQ(near.index[static_cast<size_t>(i * kEach + k)], order[static_cast<size_t>(k)].second) << i;
      }
    }
  }
}

}  // namespace
}  // namespace graft
