// What happens to gradients and weights on a device beside the update, against sums written out.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "finetune/optimizers/device_vectors.h"
#include "runtime/core/random.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"

namespace graft {
namespace {

using Values = std::vector<std::vector<float>>;

class DeviceVectorsTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* extension = dynamic_cast<const DeviceVectorsExtension*>(
        cuda::emulated_backend(cpu_backend()).extension(DeviceVectorsExtension::kName));
    ASSERT_NE(extension, nullptr);
    vectors_ = extension->make({3, 1024, 2600});
  }
  static Values draw(uint64_t key) {
    Random random(key);
    Values values{std::vector<float>(3), std::vector<float>(1024), std::vector<float>(2600)};
    for (auto& tensor : values)
      for (float& v : tensor) v = random.uniform(-1, 1);
    return values;
  }
  DeviceVectors::List list(Values& values) {  // the emulated device takes any memory
    std::vector<float*> addresses;
    for (auto& tensor : values) addresses.push_back(tensor.data());
    return vectors_->list(addresses);
  }
  static double norm(const Values& values) {
    double squares = 0;
    for (const auto& tensor : values)
      for (float v : tensor) squares += static_cast<double>(v) * static_cast<double>(v);
    return std::sqrt(squares);
  }
  /// expected(tensor, element) for all of them.
  template <typename Expected>
  static void expect_near(const Values& found, const Expected& expected) {
    for (size_t t = 0; t < found.size(); ++t)
      for (size_t i = 0; i < found[t].size(); ++i) ASSERT_NEAR(found[t][i], expected(t, i), 1e-6f) << t << ", " << i;
  }
  std::unique_ptr<DeviceVectors> vectors_;
};

TEST_F(DeviceVectorsTest, SumsOfBatchesAndTheirMean) {
  Values sum = draw(1), first = draw(2), second = draw(3);
  const auto s = list(sum), a = list(first), b = list(second);
  vectors_->add(s, a, 3, true);
  vectors_->add(s, b, 5, false);
  vectors_->scale(s, 1.0f / 8);
  expect_near(sum, [&](size_t t, size_t i) { return (3 * first[t][i] + 5 * second[t][i]) / 8; });
}

TEST_F(DeviceVectorsTest, BlendsWithFactorsOfTheirOwn) {
  Values running = draw(13), measured = draw(14);
  const Values before = running;
  const auto keep = vectors_->factors({0.9f, 0.5f, 0}), take = vectors_->factors({0.1f, 2, 1});
  vectors_->blend(list(running), list(measured), keep, take);
  const float kept[] = {0.9f, 0.5f, 0}, taken[] = {0.1f, 2, 1};
  expect_near(running, [&](size_t t, size_t i) { return kept[t] * before[t][i] + taken[t] * measured[t][i]; });
}

TEST_F(DeviceVectorsTest, ClippingByNormAndByValue) {
  Values gradient = draw(4);
  const Values before = gradient;
  const auto g = list(gradient);
  const double length = norm(before);
  vectors_->clip_norm(g, 2 * length);
  EXPECT_EQ(gradient, before);
  vectors_->clip_norm(g, 0.5);
  EXPECT_NEAR(norm(gradient), 0.5, 1e-6);
  expect_near(gradient, [&](size_t t, size_t i) { return before[t][i] * static_cast<float>(0.5 / (length + 1e-6)); });
  vectors_->clip_values(g, 0.005f);
  expect_near(gradient, [&](size_t t, size_t i) {
    return std::clamp(before[t][i] * static_cast<float>(0.5 / length), -0.005f, 0.005f);
  });
}

TEST_F(DeviceVectorsTest, ToTheWorstPlaceNearbyAndBack) {
  Values weights = draw(5), gradient = draw(6), kept = draw(7);
  const Values before = weights;
  const auto w = list(weights), g = list(gradient), k = list(kept);
  vectors_->copy(k, w);
  vectors_->perturb(w, g, 0.05);
  const auto factor = static_cast<float>(0.05 / norm(gradient));
  expect_near(weights, [&](size_t t, size_t i) { return before[t][i] + factor * gradient[t][i]; });
  vectors_->copy(w, k);
  EXPECT_EQ(weights, before);
}

TEST_F(DeviceVectorsTest, AnAverageFollowsTheWeights) {
  Values average = draw(8), weights = draw(9);
  const Values before = average;
  vectors_->average(list(average), list(weights), 0.9f);
  expect_near(average, [&](size_t t, size_t i) { return 0.9f * before[t][i] + 0.1f * weights[t][i]; });
}

TEST_F(DeviceVectorsTest, TheFlagFallsWithWhatIsNotFiniteAndStandsUpAgain) {
  Values gradient = draw(10), weights = draw(11), average = draw(12);
  const Values finite = gradient, weights_before = weights, average_before = average;
  const auto g = list(gradient), w = list(weights), a = list(average);
  const auto stands = [&] {
    vectors_->ask();
    return vectors_->flag_stands() && *vectors_->flag() == 1;
  };
  EXPECT_TRUE(stands());
  for (const float wild : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                           std::numeric_limits<float>::quiet_NaN()}) {
    gradient = finite;
    gradient[2][2599] = wild;
    vectors_->unscale(g, 0.5f);
    EXPECT_FALSE(stands());
    vectors_->perturb(w, g, 0.05);
    vectors_->average(a, w, 0.9f);
    EXPECT_EQ(weights, weights_before);
    EXPECT_EQ(average, average_before);
  }
  for (size_t t = 0; t < gradient.size(); ++t) std::copy(finite[t].begin(), finite[t].end(), gradient[t].begin());
  gradient[2][0] = 3e38f;  // its square is beyond single precision
  vectors_->unscale(g, 0.5f);
  EXPECT_TRUE(stands());
  EXPECT_EQ(gradient[2][0], 1.5e38f);
  EXPECT_EQ(gradient[1][7], 0.5f * finite[1][7]);
}

}  // namespace
}  // namespace graft
