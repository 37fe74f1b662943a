#include "finetune/features/ood_detector.h"

#include <gtest/gtest.h>

#include <cmath>

#include "finetune/features/inner_products.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

constexpr size_t kWidth = 24;

/// Pictures of two kinds: each has some large features of its own, all have noise.
std::vector<float> pictures_of(size_t count, size_t kind, uint64_t seed) {
  Random random(seed);
  std::vector<float> features;
  for (size_t i = 0; i < count; ++i)
    for (size_t j = 0; j < kWidth; ++j)
      features.push_back((j / 4 == (kind * 2 + i % 2) ? 3.0f : 0.0f) + 0.2f * std::fabs(random.normal()));
  return features;
}

/// The formula, from the numbers as they are.
double distance_by_hand(const std::vector<float>& references, const float* picture) {
  const auto direction = [](const float* x) {
    std::vector<double> d(kWidth);
    double squares = 0;
    for (size_t j = 0; j < kWidth; ++j) {
      d[j] = std::copysign(std::pow(std::fabs(static_cast<double>(x[j])), 1.5), static_cast<double>(x[j]));
      squares += d[j] * d[j];
    }
    for (double& v : d) v /= std::sqrt(squares);
    return d;
  };
  const std::vector<double> own = direction(picture);
  double sum = 0;
  for (size_t at = 0; at < references.size(); at += kWidth) {
    const std::vector<double> other = direction(references.data() + at);
    double cosine = 0;
    for (size_t j = 0; j < kWidth; ++j) cosine += own[j] * other[j];
    sum += std::exp((cosine - 1) * 50);
  }
  return -std::log(sum / static_cast<double>(references.size() / kWidth)) / 50;
}

TEST(OodDetector, DistancesAreThoseOfTheFormula) {
  const auto references = pictures_of(60, 0, 1), held_back = pictures_of(40, 0, 2), foreign = pictures_of(5, 1, 3);
  const OodDetector detector = OodDetector::fit(references, held_back, kWidth);
  for (const auto* pictures : {&held_back, &foreign})
    for (size_t at = 0; at < pictures->size(); at += kWidth)
      EXPECT_NEAR(detector.distance(std::span(*pictures).subspan(at, kWidth)),
                  distance_by_hand(references, pictures->data() + at), 0.01);
}

TEST(OodDetector, ScoresAreRanksAmongHeldBackPictures) {
  const auto references = pictures_of(60, 0, 1), held_back = pictures_of(40, 0, 2), more = pictures_of(400, 0, 4),
             foreign = pictures_of(50, 1, 3);
  const OodDetector detector = OodDetector::fit(references, held_back, kWidth);
  const auto mean_score = [&](const std::vector<float>& pictures) {
    double sum = 0;
    for (size_t at = 0; at < pictures.size(); at += kWidth)
      sum += detector.score(std::span(pictures).subspan(at, kWidth));
    return sum / static_cast<double>(pictures.size() / kWidth);
  };
  EXPECT_NEAR(mean_score(held_back), 0.5, 0.02);
  EXPECT_NEAR(mean_score(more), 0.5, 0.1);
  EXPECT_EQ(mean_score(foreign), 1);
  EXPECT_EQ(detector.score(std::vector<float>(kWidth, std::nanf(""))), 1);
  EXPECT_EQ(detector.score(std::vector<float>(kWidth, 0)), 1);
}

TEST(OodDetector, JudgesByTheReferencesWhereFewAreHeldBack) {
  const auto references = pictures_of(60, 0, 1), few = pictures_of(3, 1, 2), more = pictures_of(100, 0, 5);
  const OodDetector detector = OodDetector::fit(references, few, kWidth);
  size_t kept = 0;
  for (size_t at = 0; at < more.size(); at += kWidth)
    kept += detector.score(std::span(more).subspan(at, kWidth)) <= 0.95;
  EXPECT_GT(kept, 85u);
  EXPECT_EQ(detector.score(std::span(few).first(kWidth)), 1);
}

TEST(OodDetector, ItsStateIsAllOfIt) {
  const auto references = pictures_of(20, 0, 1), held_back = pictures_of(25, 0, 2);
  const OodDetector detector = OodDetector::fit(references, held_back, kWidth), again(detector.state());
  for (size_t at = 0; at < held_back.size(); at += kWidth) {
    const auto picture = std::span(held_back).subspan(at, kWidth);
    EXPECT_EQ(again.score(picture), detector.score(picture));
  }
  const auto broken = [&](auto change) {
    OodDetector::State state = detector.state();
    change(state);
    EXPECT_THROW(OodDetector{state}, Error);
  };
  broken([](auto& s) { s.width = 0; });
  broken([](auto& s) { s.axes.pop_back(); });
  broken([](auto& s) { s.references.pop_back(); });
  broken([](auto& s) { s.axis_scales.clear(); });
  broken([](auto& s) { s.picture_scales[0] = INFINITY; });
  broken([](auto& s) { s.distances = {2, 1}; });
  EXPECT_THROW(OodDetector::fit(std::span(references).first(kWidth), held_back, kWidth), Error);
}

TEST(OodDetector, FewAndEqualPictures) {
  const std::vector<float> same(3 * kWidth, 1.0f);
  const OodDetector detector = OodDetector::fit(same, {}, kWidth);
  EXPECT_LT(detector.distance(std::span(same).first(kWidth)), 0.02);
}

TEST(InnerProducts, AreSumsOfProducts) {
  const std::vector<float> a{1, 2, 3, 4, 5, 6}, b{1, 0, 0, 0, 1, 0, 1, 1, 1, 2, 0, -1};
  EXPECT_EQ(inner_products(a, b, 3), (std::vector<float>{1, 2, 6, -1, 4, 5, 15, 2}));
}

TEST(MakeOrthonormal, RowsWithinThoseBeforeBecomeNothing) {
  std::vector<float> rows{3, 4, 0, 6, 8, 0, 1, 1, 1};
  make_orthonormal(rows, 3);
  const std::vector<float> products = inner_products(rows, rows, 3);
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) EXPECT_NEAR(products[i * 3 + j], i == j && i != 1 ? 1 : 0, 1e-6) << i << j;
}

}  // namespace
}  // namespace graft
