// float32 products on bfloat16 units: as exact as float32's own, whatever the extents. Skipped where the processor has
// no such units.
#include "runtime/cpu/vector/split_tiles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "runtime/core/random.h"

namespace graft::cpu {
namespace {

struct Free {
  void operator()(std::byte* p) const { ::operator delete (p, std::align_val_t{64}); }
};
using Bytes = std::unique_ptr<std::byte, Free>;
Bytes bytes(int64_t n) {
  return Bytes(static_cast<std::byte*>(::operator new (static_cast<size_t>(n), std::align_val_t{64})));
}

std::vector<float> numbers(int64_t n, uint64_t key) {
  std::vector<float> v(static_cast<size_t>(n));
  Random random(key);
  for (float& f : v) f = random.uniform(-1, 1);
  return v;
}

std::vector<const float*> lines(const std::vector<float>& v, int64_t length) {
  std::vector<const float*> at;
  for (size_t i = 0; i < v.size(); i += static_cast<size_t>(length)) at.push_back(v.data() + i);
  return at;
}

class SplitTilesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!split_tiles()) GTEST_SKIP() << "this processor has no tiles of bfloat16, or ONEDNN_MAX_CPU_ISA forbids them";
  }
  /// C = A·Bᵀ with A rows × depth and B columns × depth, each packed along its rows.
  static std::vector<float> product(const std::vector<float>& a, const std::vector<float>& b, int64_t depth) {
    const SplitTiles& t = *split_tiles();
    const int64_t rows = static_cast<int64_t>(a.size()) / depth, columns = static_cast<int64_t>(b.size()) / depth,
                  tile = SplitTiles::steps(depth) * SplitTiles::kStepBytes;
    const int64_t height = SplitTiles::height(rows);
    const Bytes packed_a = bytes((rows + height - 1) / height * tile),
                packed_b = bytes(columns / SplitTiles::kColumns * tile);
    std::vector<float> c(static_cast<size_t>(rows * columns));
    t.configure(height);
    t.pack_rows(lines(a, depth).data(), rows, depth, height, packed_a.get(), tile);
    t.pack_columns(lines(b, depth).data(), columns, depth, packed_b.get(), tile);
    t.multiply({rows, columns, SplitTiles::steps(depth), height, packed_a.get(), tile, packed_b.get(), tile, c.data(),
                columns});
    t.release();
    return c;
  }
};

TEST_F(SplitTilesTest, ErrorsAreNoLargerThanFloat32s) {
  constexpr int64_t kRows = 48, kColumns = 48, kDepth = 512;
  const std::vector<float> a = numbers(kRows * kDepth, 1), b = numbers(kColumns * kDepth, 2), c = product(a, b, kDepth);
  double ours = 0, float32s = 0;
  for (int64_t m = 0; m < kRows; ++m)
    for (int64_t n = 0; n < kColumns; ++n) {
      double exact = 0;
      float sum = 0;
      for (int64_t k = 0; k < kDepth; ++k) {
        const float x = a[static_cast<size_t>(m * kDepth + k)], y = b[static_cast<size_t>(n * kDepth + k)];
        exact += static_cast<double>(x) * static_cast<double>(y);
        sum = std::fma(x, y, sum);
      }
      const double error = static_cast<double>(c[static_cast<size_t>(m * kColumns + n)]) - exact,
                   plain = static_cast<double>(sum) - exact;
      ours += error * error;
      float32s += plain * plain;
    }
  EXPECT_LT(ours, float32s);
}

/// One factor of 1 a row: what comes back is the other factor, every bit of it.
TEST_F(SplitTilesTest, ThePartsHoldEveryBitOfAFactor) {
  constexpr int64_t kDepth = 32;
  std::vector<float> a(16 * kDepth, 0.0f), b = numbers(16 * kDepth, 3);
  for (int64_t m = 0; m < 16; ++m) a[static_cast<size_t>(m * kDepth + m)] = 1;
  b[0] = 16777215.0f, b[kDepth] = 1.0f + std::numeric_limits<float>::epsilon(), b[2 * kDepth] = -3.4e37f,
  b[3 * kDepth] = 1.5e-30f;
  const std::vector<float> c = product(a, b, kDepth);
  for (int64_t m = 0; m < 16; ++m)
    for (int64_t n = 0; n < 16; ++n)
      EXPECT_EQ(c[static_cast<size_t>(m * 16 + n)], b[static_cast<size_t>(n * kDepth + m)]) << m << ", " << n;
}

TEST_F(SplitTilesTest, NotANumberStaysOne) {
  std::vector<float> a = numbers(16 * 32, 4), b = numbers(16 * 32, 5);
  a[32] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> c = product(a, b, 32);
  for (size_t n = 0; n < 16; ++n) {
    EXPECT_FALSE(std::isnan(c[n]));
    EXPECT_TRUE(std::isnan(c[16 + n]));
  }
}

/// Depth across lines, depth along lines: the same numbers in the same places.
TEST_F(SplitTilesTest, BothDirectionsOfPackingAgree) {
  const SplitTiles& t = *split_tiles();
  constexpr int64_t kDepth = 80, kWidth = 48;  // the last step is half full
  const std::vector<float> along = numbers(kWidth * kDepth, 6);
  std::vector<float> across(along.size());
  for (int64_t i = 0; i < kWidth; ++i)
    for (int64_t k = 0; k < kDepth; ++k)
      across[static_cast<size_t>(k * kWidth + i)] = along[static_cast<size_t>(i * kDepth + k)];
  const int64_t tile = SplitTiles::steps(kDepth) * SplitTiles::kStepBytes, all = kWidth / 16 * tile;
  const auto same = [&](const auto& pack_along, const auto& pack_across) {
    const Bytes one = bytes(all), other = bytes(all);
    pack_along(one.get());
    pack_across(other.get());
    return std::equal(one.get(), one.get() + all, other.get());
  };
  EXPECT_TRUE(
      same([&](std::byte* to) { t.pack_rows(lines(along, kDepth).data(), kWidth, kDepth, 16, to, tile); },
           [&](std::byte* to) { t.pack_depth_of_rows(lines(across, kWidth).data(), kDepth, kWidth, to, tile); }));
  EXPECT_TRUE(
      same([&](std::byte* to) { t.pack_columns(lines(along, kDepth).data(), kWidth, kDepth, to, tile); },
           [&](std::byte* to) { t.pack_depth_of_columns(lines(across, kWidth).data(), kDepth, kWidth, to, tile); }));
}

}  // namespace
}  // namespace graft::cpu
