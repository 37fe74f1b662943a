#include "runtime/cuda/numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/core/random.h"

namespace graft::cuda {
namespace {

/// The runtime's own conversion, which follows the formats' definitions element by element.
template <typename Half>
float by_cast(uint16_t bits, DType dtype) {
  Tensor one(dtype, Shape{1});
  std::memcpy(one.raw(), &bits, sizeof bits);
  return cast(one, DType::f32).data<float>()[0];
}

uint16_t to_half_by_cast(float value, DType dtype) {
  const Tensor half = cast(Tensor::of<float>({1}, {value}), dtype);
  uint16_t bits = 0;
  std::memcpy(&bits, half.raw(), sizeof bits);
  return bits;
}

template <typename Half>
void expect_all_patterns(DType dtype) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto pattern = static_cast<uint16_t>(bits);
    const float value = value_of(Half{pattern}), expected = by_cast<Half>(pattern, dtype);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      ASSERT_TRUE(std::isnan(value_of(rounded<Half>(value)))) << bits;
      continue;
    }
    ASSERT_EQ(value, expected) << bits;
    ASSERT_EQ(std::signbit(value), std::signbit(expected)) << bits;
    ASSERT_EQ(rounded<Half>(value).bits, pattern);
  }
}

template <typename Half>
void expect_rounding(DType dtype) {
  Random random(3);
  for (int i = 0; i < 200000; ++i) {
    // All magnitudes, those between two halves and those below the smallest among them.
    const float value = random.uniform(-1, 1) * std::exp2(std::floor(random.uniform(-30, 18)));
    ASSERT_EQ(rounded<Half>(value).bits, to_half_by_cast(value, dtype)) << value;
  }
  for (const float value : {0.0f, -0.0f, 65504.0f, 65519.9f, 65520.0f, 1e30f, -1e30f, 0x1p-24f, 0x1p-25f, 0x1.8p-24f,
                            0x1.fffffep-15f, std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(rounded<Half>(value).bits, to_half_by_cast(value, dtype)) << value;
  }
}

TEST(Halves, EveryPatternReadsAsTheFormatSays) {
  expect_all_patterns<Float16>(DType::f16);
  expect_all_patterns<BFloat16>(DType::bf16);
}

TEST(Halves, FloatsRoundToTheNearestHalvesToEven) {
  expect_rounding<Float16>(DType::f16);
  expect_rounding<BFloat16>(DType::bf16);
}

TEST(Halves, PacksAreReadAndWrittenWhole) {
  alignas(16) BFloat16 halves[8] = {};
  const float values[8] = {1, -2, 0.5f, 3, 4, 5, 6, -7};
  store<8>(values, halves);
  float back[8] = {};
  load<8>(halves, back);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(back[i], values[i]);
}

}  // namespace
}  // namespace graft::cuda
