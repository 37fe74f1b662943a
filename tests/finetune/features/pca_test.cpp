#include "finetune/features/pca.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/core/error.h"
#include "runtime/core/parallel.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

TEST(PrincipalComponents, AreTheAxesThatSamplesWereStretchedAlong) {
  // Along (3, 4, 0)/5 by 5, along (0, 0, 1) by 2, along (4, -3, 0)/5 by 0.5, around (10, -20, 30).
  constexpr int64_t kSamples = 4000;
  Random random(3);
  std::vector<float> features, along;
  for (int64_t i = 0; i < kSamples; ++i) {
    const float a = 5 * random.normal(), b = 2 * random.normal(), c = 0.5f * random.normal();
    along.push_back(a);
    for (const float v : {10 + 0.6f * a + 0.8f * c, -20 + 0.8f * a - 0.6f * c, 30 + b}) features.push_back(v);
  }
  const PcaResult result = principal_components(features, kSamples);
  ASSERT_EQ(result.variances.size(), 2u);
  EXPECT_NEAR(result.variances[0], 25, 1.5);
  EXPECT_NEAR(result.variances[1], 4, 0.3);
  double product = 0, own = 0, theirs = 0;
  for (size_t i = 0; i < along.size(); ++i) {
    product += static_cast<double>(along[i]) * result.places[2 * i];
    own += static_cast<double>(along[i]) * static_cast<double>(along[i]);
    theirs += result.places[2 * i] * result.places[2 * i];
  }
  EXPECT_GT(std::fabs(product) / std::sqrt(own * theirs), 0.999);
}

TEST(PrincipalComponents, OfSamplesThatDoNotVary) {
  const PcaResult result = principal_components(std::vector<float>(12, 1.5f), 4);
  for (const double place : result.places) EXPECT_EQ(place, 0);
  EXPECT_THROW(principal_components(std::vector<float>(3, 1.0f), 1), Error);
}

}  // namespace
}  // namespace graft
