#include "finetune/optimizers/norms.h"

#include <gtest/gtest.h>

namespace graft {
namespace {

TEST(SumOfTerms, IsTheSumForEveryLength) {
  for (const int64_t n : {0, 1, 15, 16, 17, 32, 1000}) {
    double expected = 0;
    for (int64_t i = 0; i < n; ++i) expected += 1 + static_cast<double>(i);  // exact in double
    EXPECT_EQ(sum_of_terms(n, [](int64_t i) { return 1 + static_cast<double>(i); }), expected) << n;
  }
}

TEST(SumOfTerms, SquaresAreAddedInDouble) {
  const std::vector<float> x(10000, 1e20f);  // float32 squares would be infinite
  const double square = static_cast<double>(1e20f) * static_cast<double>(1e20f);
  EXPECT_NEAR(sum_of_squares(x.data(), 10000) / (10000 * square), 1, 1e-12);
}

}  // namespace
}  // namespace graft
