#include "finetune/selection/softmax_regression.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/core/error.h"
#include "tests/finetune/selection/overlapping_classes.h"

namespace graft {
namespace {

using namespace overlapping;

FeatureMatrix matrix() {
  FeatureMatrix m;
  m.append(figures(), kWidth);
  return m;
}

std::vector<double> probabilities(const LinearHeadWeights& head, const float* x, double temperature) {
  std::vector<double> p;
  double sum = 0;
  for (size_t c = 0; c < head.bias.size(); ++c) {
    double f = static_cast<double>(head.bias[c]);
    for (size_t d = 0; d < kWidth; ++d)
      f += static_cast<double>(head.weight[c * kWidth + d]) * static_cast<double>(x[d]);
    sum += p.emplace_back(std::exp(f * temperature));
  }
  for (double& v : p) v /= sum;
  return p;
}

// scikit-learn 1.9.1's LogisticRegression on (x - mean) / √(σ·s), C = 1 / (λ·n), tol 1e-10, fold by fold; temperature
// and loss by SciPy's bounded minimisation of its decision function.
TEST(SoftmaxRegression, LossesOutOfFoldAreScikitLearns) {
  SoftmaxRegression regression(matrix(), targets(), 0);
  regression.sweep();
  struct Expected {
    double l2, temperature, loss;
    int right;
  };
  const Expected expected[] = {{3.1623, 0.068573, 0.5133891, 39},
                               {1.00001, 0.163854, 0.5025004, 38},
                               {0.316234, 0.322127, 0.4951192, 37},
                               {0.100003, 0.540865, 0.4955260, 36},
                               {0.0316239, 0.813623, 0.5074256, 36}};
  ASSERT_EQ(regression.path().size(), 5u);  // two in a row were worse than the best
  for (size_t i = 0; i < 5; ++i) {
    const RegressionPoint& point = regression.path()[i];
    EXPECT_NEAR(point.l2, expected[i].l2, 1e-5 * expected[i].l2);
    EXPECT_NEAR(point.temperature, expected[i].temperature, 5e-3 * expected[i].temperature);
    EXPECT_NEAR(point.loss, expected[i].loss, 2e-3);
    EXPECT_NEAR(point.accuracy, expected[i].right / 45.0, 1e-9);
  }
  EXPECT_NEAR(regression.best().l2, 0.316234, 1e-5);
}

// At the optimum the bias, which no penalty holds, makes probabilities and labels weigh the same in sum.
TEST(SoftmaxRegression, PicturesWeigh) {
  ClassTargets weighed = targets();
  for (size_t i = 0; i < kPictures; ++i) weighed.weights.push_back(i % 4 == 0 ? 5 : 0.5);
  SoftmaxRegression plain(matrix(), targets(), 0), regression(matrix(), weighed, 0);
  plain.sweep();
  regression.sweep();
  const LinearHeadWeights head = regression.fit();
  EXPECT_NE(head.weight, plain.fit().weight);
  const std::vector<float> x = figures();
  std::vector<double> surplus(3, 0);
  for (size_t i = 0; i < kPictures; ++i) {
    const std::vector<double> p = probabilities(head, x.data() + i * kWidth, regression.temperature());
    for (size_t c = 0; c < 3; ++c)
      surplus[c] += weighed.weights[i] * (p[c] - (static_cast<size_t>(weighed.labels[i]) == c ? 1 : 0));
  }
  for (const double s : surplus) EXPECT_NEAR(s, 0, 0.05);
}

TEST(SoftmaxRegression, TheFittedHeadIsScikitLearns) {
  SoftmaxRegression regression(matrix(), targets(), 0);
  regression.sweep();
  const LinearHeadWeights head = regression.fit();
  const std::vector<float> x = figures();
  // λ = 0.8 · 0.316234: all pictures instead of four fifths.
  const double first[] = {0.46695489, 0.24888644, 0.28415867}, eighth[] = {0.27137483, 0.55749714, 0.17112803};
  for (size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(probabilities(head, x.data(), regression.temperature())[c], first[c], 5e-3);
    EXPECT_NEAR(probabilities(head, x.data() + 7 * kWidth, regression.temperature())[c], eighth[c], 5e-3);
  }
}

TEST(SoftmaxRegression, TheTemperatureMakesProbabilitiesMostLikely) {
  SoftmaxRegression regression(matrix(), targets(), 0);
  regression.sweep();
  const auto loss_at = [&](double beta) {
    double loss = 0;
    for (size_t i = 0; i < kPictures; ++i) {
      double sum = 0;
      for (size_t c = 0; c < 3; ++c) sum += std::exp(beta * static_cast<double>(regression.scores()[i * 3 + c]));
      loss += std::log(sum) - beta * static_cast<double>(regression.scores()[i * 3 + i % 3]);
    }
    return loss / kPictures;
  };
  EXPECT_NEAR(loss_at(1), regression.best().loss, 1e-6);
  EXPECT_LE(loss_at(1), loss_at(0.98));
  EXPECT_LE(loss_at(1), loss_at(1.02));
}

TEST(SoftmaxRegression, AClassOfOnePictureTrainsAndIsNeverScored) {
  ClassTargets t = targets();
  t.classes = 4;
  t.labels[44] = 3;
  t.fold[44] = -1;
  SoftmaxRegression regression(matrix(), t, 0);
  regression.sweep();
  for (size_t c = 0; c < 4; ++c) EXPECT_EQ(regression.scores()[44 * 4 + c], 0);
  const LinearHeadWeights head = regression.fit();
  const std::vector<float> x = figures();
  EXPECT_GT(probabilities(head, x.data() + 44 * kWidth, 1)[3], probabilities(head, x.data(), 1)[3]);
  std::fill(t.fold.begin(), t.fold.end(), -1);
  SoftmaxRegression nothing(matrix(), t, 0);
  EXPECT_THROW(nothing.sweep(), Error);
}

TEST(SoftmaxRegression, TheSameForAnyNumberOfThreads) {
  SoftmaxRegression one(matrix(), targets(), 1), two(matrix(), targets(), 2);
  one.sweep();
  two.sweep();
  EXPECT_EQ(one.scores(), two.scores());
  EXPECT_EQ(one.fit().weight, two.fit().weight);
}

TEST(SoftmaxRegression, ViewsAreRowsOfTheSamePictures) {
  FeatureMatrix twice = matrix();
  twice.append(figures(), kWidth);
  SoftmaxRegression one(matrix(), targets(), 0), two(twice, targets(), 0);
  one.sweep();
  two.sweep();
  EXPECT_NEAR(one.best().loss, two.best().loss, 1e-3);  // the mean over rows is the same
  EXPECT_THROW(twice.append(figures(), kWidth - 1), Error);
}

}  // namespace
}  // namespace graft
