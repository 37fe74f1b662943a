#include "runtime/cuda/batches.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

namespace graft {
namespace {

/// Every matrix of a, b and y that belong together.
using Triples = std::set<std::tuple<int64_t, int64_t, int64_t>>;

Triples expected(const Shape& leading, const Strides& a, const Strides& b, const Strides& y) {
  Triples all;
  for (int64_t i = 0; i < leading.elements(); ++i) {
    int64_t rest = i, at_a = 0, at_b = 0, at_y = 0;
    for (size_t d = leading.size(); d-- > 0;) {
      const int64_t k = rest % leading[d];
      rest /= leading[d];
      at_a += k * a[d], at_b += k * b[d], at_y += k * y[d];
    }
    all.emplace(at_a, at_b, at_y);
  }
  return all;
}

Triples of(const cuda::Batches& batches) {
  Triples all;
  for (const auto& run : batches.runs)
    for (int64_t i = 0; i < batches.count; ++i)
      all.emplace(run.a + i * batches.a_step, run.b + i * batches.b_step, run.y + i * batches.y_step);
  return all;
}

TEST(Batches, AreThoseOfTheBroadcasting) {
  struct Case {
    const char* name;
    Shape leading;
    Strides a, b, y;
    size_t runs;
  };
  const Case cases[] = {
      {"one product", {}, {}, {}, {}, 1},
      {"a batch", {6}, {10}, {20}, {30}, 1},
      {"B for all", {6}, {10}, {0}, {30}, 1},
      {"two dimensions in one", {2, 3}, {30, 10}, {60, 20}, {90, 30}, 1},
      {"B for each of the outer ones", {2, 3}, {30, 10}, {20, 0}, {90, 30}, 2},
      {"A and B each for some", {2, 3, 4}, {0, 40, 10}, {20, 0, 0}, {360, 120, 30}, 2},
      {"extents of one", {1, 4, 1}, {7, 10, 7}, {7, 20, 7}, {7, 30, 7}, 1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const cuda::Batches batches(c.leading, c.a, c.b, c.y);
    EXPECT_EQ(of(batches), expected(c.leading, c.a, c.b, c.y));
    EXPECT_EQ(batches.runs.size(), c.runs);
  }
}

}  // namespace
}  // namespace graft
