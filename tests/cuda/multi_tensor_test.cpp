// Operations on lists of tensors, on a device and on the processor, against the sums written out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "finetune/training/host_kernels.h"
#include "runtime/core/random.h"
#include "runtime/core/training_kernels.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"

namespace graft {
namespace {

using Values = std::vector<std::vector<float>>;

/// On the device, or on the processor.
enum class Place : bool { device, processor };

class MultiTensorTest : public testing::TestWithParam<Place> {
 protected:
  void SetUp() override {
    const std::vector<int64_t> counts{3, 1024, 2600};
    if (GetParam() == Place::processor) {
      tensors_ = make_host_multi_tensor(counts);
      return;
    }
    const TrainingKernels* const kernels = cuda::emulated_backend(cpu_backend()).training_kernels();
    ASSERT_NE(kernels, nullptr);
    tensors_ = kernels->make_multi_tensor(counts);
  }
  static Values draw(uint64_t key) {
    Random random(key);
    Values values{std::vector<float>(3), std::vector<float>(1024), std::vector<float>(2600)};
    for (auto& tensor : values)
      for (float& v : tensor) v = random.uniform(-1, 1);
    return values;
  }
  MultiTensor::List list(Values& values) {  // the emulated device takes any memory
    std::vector<float*> addresses;
    for (auto& tensor : values) addresses.push_back(tensor.data());
    return tensors_->add_list(addresses);
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
  std::unique_ptr<MultiTensor> tensors_;
};

TEST_P(MultiTensorTest, SumsOfBatchesAndTheirMean) {
  Values sum = draw(1), first = draw(2), second = draw(3);
  const auto s = list(sum), a = list(first), b = list(second);
  tensors_->add(s, a, 3, true);
  tensors_->add(s, b, 5, false);
  tensors_->scale(s, 1.0f / 8);
  expect_near(sum, [&](size_t t, size_t i) { return (3 * first[t][i] + 5 * second[t][i]) / 8; });
}

TEST_P(MultiTensorTest, BlendsWithFactorsOfTheirOwn) {
  Values running = draw(13), measured = draw(14);
  const Values before = running;
  const auto keep = tensors_->add_factors({0.9f, 0.5f, 0}), take = tensors_->add_factors({0.1f, 2, 1});
  tensors_->blend(list(running), list(measured), keep, take);
  const float kept[] = {0.9f, 0.5f, 0}, taken[] = {0.1f, 2, 1};
  expect_near(running, [&](size_t t, size_t i) { return kept[t] * before[t][i] + taken[t] * measured[t][i]; });
}

TEST_P(MultiTensorTest, ClippingByNormAndByValue) {
  Values gradient = draw(4);
  const Values before = gradient;
  const auto g = list(gradient);
  const double length = norm(before);
  tensors_->clip_by_norm(g, 2 * length);
  EXPECT_EQ(gradient, before);
  tensors_->clip_by_norm(g, 0.5);
  EXPECT_NEAR(norm(gradient), 0.5, 1e-6);
  expect_near(gradient, [&](size_t t, size_t i) { return before[t][i] * static_cast<float>(0.5 / (length + 1e-6)); });
  tensors_->clip_by_value(g, 0.005f);
  expect_near(gradient, [&](size_t t, size_t i) {
    return std::clamp(before[t][i] * static_cast<float>(0.5 / length), -0.005f, 0.005f);
  });
}

TEST_P(MultiTensorTest, PerturbsAlongTheGradientAndRestores) {
  Values weights = draw(5), gradient = draw(6), kept = draw(7);
  const Values before = weights;
  const auto w = list(weights), g = list(gradient), k = list(kept);
  tensors_->copy(k, w);
  tensors_->perturb(w, g, 0.05);
  const auto factor = static_cast<float>(0.05 / norm(gradient));
  expect_near(weights, [&](size_t t, size_t i) { return before[t][i] + factor * gradient[t][i]; });
  tensors_->copy(w, k);
  EXPECT_EQ(weights, before);
}

TEST_P(MultiTensorTest, AnAverageFollowsTheWeights) {
  Values average = draw(8), weights = draw(9);
  const Values before = average;
  tensors_->lerp(list(average), list(weights), 1 - 0.9f);
  expect_near(average, [&](size_t t, size_t i) { return 0.9f * before[t][i] + 0.1f * weights[t][i]; });
}

TEST_P(MultiTensorTest, TheFlagTellsWhatIsNotFinite) {
  Values gradient = draw(10), weights = draw(11), average = draw(12);
  const Values finite = gradient, weights_before = weights, average_before = average;
  const auto g = list(gradient), w = list(weights), a = list(average);
  const auto stands = [&] {
    tensors_->download_flag();
    return tensors_->was_finite() && *tensors_->finite_flag() == 1;
  };
  EXPECT_TRUE(stands());
  for (const float wild : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                           std::numeric_limits<float>::quiet_NaN()}) {
    gradient = finite;
    gradient[2][2599] = wild;
    tensors_->unscale(g, 0.5f);
    EXPECT_FALSE(stands());
    tensors_->perturb(w, g, 0.05);
    tensors_->lerp(a, w, 1 - 0.9f);
    EXPECT_EQ(weights, weights_before);
    EXPECT_EQ(average, average_before);
  }
  for (size_t t = 0; t < gradient.size(); ++t) std::copy(finite[t].begin(), finite[t].end(), gradient[t].begin());
  gradient[2][0] = 3e38f;  // its square is beyond single precision
  tensors_->unscale(g, 0.5f);
  EXPECT_TRUE(stands());
  EXPECT_EQ(gradient[2][0], 1.5e38f);
  EXPECT_EQ(gradient[1][7], 0.5f * finite[1][7]);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, MultiTensorTest, testing::Values(Place::device, Place::processor),
                         [](const auto& place) { return place.param == Place::device ? "device" : "processor"; });

}  // namespace
}  // namespace graft
