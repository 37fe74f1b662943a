#include "runtime/core/integer.h"

#include <gtest/gtest.h>

#include <cmath>

namespace graft {
namespace {

constexpr int64_t kLowest = std::numeric_limits<int64_t>::lowest(), kHighest = std::numeric_limits<int64_t>::max();

TEST(CheckedInteger, RefusesWhatDoesNotFit) {
  EXPECT_EQ(checked_add(kHighest - 1, 1), kHighest);
  EXPECT_THROW(checked_add(kHighest, 1), Error);
  EXPECT_EQ(checked_multiply(int64_t{1} << 31, int64_t{1} << 31), int64_t{1} << 62);
  EXPECT_THROW(checked_multiply(int64_t{1} << 32, int64_t{1} << 31), Error);
}

TEST(WrappingInteger, WrapsAsTwosComplementDoes) {
  EXPECT_EQ(wrapping_add(kHighest, int64_t{1}), kLowest);
  EXPECT_EQ(wrapping_subtract(kLowest, int64_t{1}), kHighest);
  EXPECT_EQ(wrapping_multiply(kLowest, int64_t{-1}), kLowest);
  EXPECT_EQ(wrapping_multiply(int32_t{1} << 16, int32_t{1} << 16), 0);
  EXPECT_EQ(wrapping_negate(kLowest), kLowest);
  EXPECT_EQ(wrapping_add(uint8_t{255}, uint8_t{2}), 1);
  EXPECT_EQ(wrapping_negate(int8_t{-128}), -128);
}

TEST(WrappingInteger, DividesTowardsZeroWhateverTheOperands) {
  EXPECT_EQ(wrapping_divide(kLowest, int64_t{-1}), kLowest);
  EXPECT_EQ(wrapping_remainder(kLowest, int64_t{-1}), 0);
  EXPECT_EQ(wrapping_divide(int64_t{-7}, int64_t{2}), -3);
  EXPECT_EQ(wrapping_remainder(int64_t{-7}, int64_t{2}), -1);
  EXPECT_THROW(wrapping_divide(1, 0), Error);
  EXPECT_THROW(wrapping_remainder(1, 0), Error);
}

TEST(WrappingInteger, PowersEndAndAreExact) {
  EXPECT_EQ(wrapping_power(int64_t{3}, int64_t{39}), 4052555153018976267);  // std::pow rounds it
  EXPECT_EQ(wrapping_power(int64_t{2}, int64_t{64}), 0);
  EXPECT_EQ(wrapping_power(int64_t{0}, int64_t{0}), 1);
  EXPECT_EQ(wrapping_power(int64_t{7}, int64_t{-2}), 0);
  EXPECT_EQ(wrapping_power(int64_t{-1}, int64_t{-3}), -1);
  EXPECT_EQ(wrapping_power(int64_t{3}, kHighest), wrapping_power(int64_t{3}, kHighest % (int64_t{1} << 62)));
}

TEST(SaturatingCast, EndsWhereTheTypeDoes) {
  EXPECT_EQ(saturating_cast<int64_t>(1e30f), kHighest);
  EXPECT_EQ(saturating_cast<int64_t>(-INFINITY), kLowest);
  EXPECT_EQ(saturating_cast<uint8_t>(-3.0f), 0);
  EXPECT_EQ(saturating_cast<int8_t>(127.9), 127);
  EXPECT_EQ(saturating_cast<int32_t>(std::nan("")), std::numeric_limits<int32_t>::lowest());
}

}  // namespace
}  // namespace graft
