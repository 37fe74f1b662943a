#include "apps/library/calibration.h"

#include <gtest/gtest.h>

#include "graft/error.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

/// Normal numbers after ReLU, and one far out.
std::vector<float> with_an_outlier() {
  Random random(3);
  std::vector<float> numbers;
  for (int i = 0; i < 20000; ++i) numbers.push_back(std::max(0.0f, random.normal()));
  numbers.push_back(40);
  return numbers;
}

ValueRange::Range range(CalibrationMethod method, const std::vector<float>& numbers, double percentile = 99.99) {
  ValueRange seen;
  seen.widen(numbers);
  seen.count(numbers);
  return seen.chosen(method, percentile);
}

TEST(Calibration, MinMaxIsWhatWasSeen) {
  const auto r = range(CalibrationMethod::min_max, {-3, 1, 7});
  EXPECT_EQ(r.low, -3);
  EXPECT_EQ(r.high, 7);
  EXPECT_EQ(range(CalibrationMethod::min_max, {2, 5}).low, 0) << "zero is always inside";
}

TEST(Calibration, PercentilesLeaveThatManyOut) {
  std::vector<float> numbers;
  for (int i = 0; i <= 1000; ++i) numbers.push_back(static_cast<float>(i));
  EXPECT_NEAR(range(CalibrationMethod::percentile, numbers, 90).high, 900, 1.5);
  EXPECT_NEAR(range(CalibrationMethod::percentile, numbers, 99).high, 990, 1.5);
  std::vector<float> both;
  for (int i = -1000; i <= 1000; ++i) both.push_back(static_cast<float>(i));
  EXPECT_NEAR(range(CalibrationMethod::percentile, both, 90).low, -900, 3);
  EXPECT_NEAR(range(CalibrationMethod::percentile, both, 90).high, 900, 3);
}

TEST(Calibration, OneFarOutIsClipped) {
  const std::vector<float> numbers = with_an_outlier();
  EXPECT_EQ(range(CalibrationMethod::min_max, numbers).high, 40);
  // By hand: clipping at t costs (40 - t)² once and saves 20000·(40² - t²)/255²/12, least at t = 40/(1 +
  // 20000/255²/12).
  EXPECT_NEAR(range(CalibrationMethod::mean_square, numbers).high, 39, 1);
  EXPECT_LT(range(CalibrationMethod::entropy, numbers).high, 12);
}

TEST(Calibration, NumbersThatAreNoneDoNotCount) {
  const auto r = range(CalibrationMethod::mean_square,
                       {1, 2, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()});
  EXPECT_GT(r.high, 1.5f);
  EXPECT_LE(r.high, 2.0f);
}

TEST(Calibration, NamesOfMethods) {
  EXPECT_EQ(calibration_method("entropy"), CalibrationMethod::entropy);
  EXPECT_EQ(calibration_method("percentile"), CalibrationMethod::percentile);
  EXPECT_THROW(calibration_method("median"), Error);
}

}  // namespace
}  // namespace graft
