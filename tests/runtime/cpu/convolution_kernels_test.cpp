// The shapes that have kernels of their own (1×1, Winograd, gradients as products), against sums in double precision.
#include <cstring>

#include "runtime/ops/convolution.h"
#include "runtime/ops/unary.h"
#include "tests/backend.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

struct Case {
  const char* name;
  int64_t images, in, out, height, width, kernel, stride;
  Padding2d padding{0, 0, 0, 0};
  int64_t dilation = 1;
  Epilogue tail{};
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

const Activation kRelu{Activation::Kind::relu, 0, 0}, kClip{Activation::Kind::clip, -0.5f, 0.75f},
    kLeaky{Activation::Kind::leaky_relu, 0.25f, 0};

const Case kCases[] = {
    {"Pointwise", 2, 32, 48, 9, 7, 1, 1},
    {"PointwiseOnFewPixels", 1, 64, 80, 3, 2, 1, 1},
    {"PointwiseWithALongSumAndResidual", 2, 576, 32, 5, 5, 1, 1, {0, 0, 0, 0}, 1, {true, kRelu}},
    {"PointwiseWithResidualAndClip", 3, 16, 32, 8, 8, 1, 1, {0, 0, 0, 0}, 1, {true, kClip}},
    {"PointwiseOfStrideTwoOnOddExtents", 2, 48, 64, 9, 7, 1, 2, {0, 0, 0, 0}, 1, {true, kRelu}},
    {"PointwiseOfManyChannels", 1, 528, 544, 4, 4, 1, 1},
    {"ThreeByThree", 2, 16, 32, 16, 16, 3, 1, {1, 1, 1, 1}},
    {"ThreeByThreeOnOddExtents", 4, 32, 48, 15, 13, 3, 1, {1, 1, 1, 1}, 1, {true, kRelu}},
    {"ThreeByThreeUnpadded", 5, 16, 16, 11, 14, 3, 1, {0, 0, 0, 0}, 1, {false, kLeaky}},
    {"ThreeByThreePaddedUnevenly", 3, 48, 16, 18, 14, 3, 1, {2, 0, 1, 2}, 1, {true, kClip}},
    {"ThreeByThreeOfManyChannels", 2, 288, 64, 16, 20, 3, 1, {1, 1, 1, 1}},
    {"ThreeByThreeOfStrideTwo", 2, 32, 48, 13, 12, 3, 2, {1, 1, 1, 1}, 1, {true, kRelu}},
    {"FiveByFiveDilated", 2, 16, 32, 12, 11, 5, 1, {4, 4, 4, 4}, 2},
    // Large enough for matrix units, where the processor has them.
    {"PointwiseOnManyPixels", 2, 48, 32, 13, 13, 1, 1},
    {"PointwiseOnManyPixelsWithALongSumAndResidual", 2, 592, 80, 12, 12, 1, 1, {0, 0, 0, 0}, 1, {true, kRelu}},
    {"PointwiseOnMorePixelsThanABlock", 5, 32, 16, 21, 23, 1, 1, {0, 0, 0, 0}, 1, {true, kClip}},
    {"PointwiseOfStrideTwoOnManyPixels", 4, 48, 64, 17, 18, 1, 2},
    {"PointwiseOfStrideTwoOnManyPixelsWithResidual", 4, 48, 64, 17, 18, 1, 2, {0, 0, 0, 0}, 1, {true, {}}},
    {"PointwiseOfStrideTwoOnManyPixelsWithResidualAndClip", 4, 32, 64, 17, 18, 1, 2, {0, 0, 0, 0}, 1, {true, kClip}},
    {"ThreeByThreeOfStrideTwoOnManyPixels", 3, 32, 48, 21, 22, 3, 2, {1, 1, 1, 1}, 1, {true, kLeaky}},
    {"ThreeByThreeOfStrideTwoWithLongSumsOnFewPixels", 3, 48, 272, 5, 6, 3, 2, {1, 1, 1, 1}},
    {"FiveByFiveDilatedOnManyPixels", 2, 16, 32, 14, 13, 5, 1, {4, 4, 4, 4}, 2},
    {"PointwiseToManyChannelsOnManyPixels", 8, 128, 176, 14, 14, 1, 1},
    {"PointwiseFromManyChannelsOnManyPixels", 8, 176, 128, 14, 15, 1, 1},
    {"TwoByTwoOfStrideTwoOnManyPixels", 8, 128, 128, 28, 29, 2, 2},
};

int64_t extent(int64_t in, int64_t before, int64_t after, const Case& c) {
  return (in + before + after - (c.kernel - 1) * c.dilation - 1) / c.stride + 1;
}

class ConvolutionKernels : public testing::TestWithParam<Case> {
 protected:
  ConvolutionKernels() {
    op_.window.kernel = {c_.kernel, c_.kernel};
    op_.window.stride = {c_.stride, c_.stride};
    op_.window.dilation = {c_.dilation, c_.dilation};
    op_.window.padding = c_.padding;
    op_.tail = c_.tail;
    const float reach = 1 / std::sqrt(static_cast<float>(c_.in * c_.kernel * c_.kernel));
    w_ = random_tensor({c_.out, c_.in, c_.kernel, c_.kernel}, 2, -reach, reach);
  }

  double x(int64_t n, int64_t c, int64_t h, int64_t w) const { return at(x_, n, c, h, w); }
  static double at(const Tensor& t, int64_t n, int64_t c, int64_t h, int64_t w) {
    const Shape& s = t.shape();
    return static_cast<double>(t.data<float>()[static_cast<size_t>(((n * s[1] + c) * s[2] + h) * s[3] + w)]);
  }

  /// body(n, k, c, output y and x, input y and x, tap y and x) for every product of the sum.
  template <typename Body>
  void for_products(const Body& body) const {
    for (int64_t n = 0; n < c_.images; ++n)
      for (int64_t k = 0; k < c_.out; ++k)
        for (int64_t oy = 0; oy < y_shape_[2]; ++oy)
          for (int64_t ox = 0; ox < y_shape_[3]; ++ox)
            for (int64_t r = 0; r < c_.kernel; ++r)
              for (int64_t s = 0; s < c_.kernel; ++s) {
                const int64_t iy = oy * c_.stride + r * c_.dilation - c_.padding.top,
                              ix = ox * c_.stride + s * c_.dilation - c_.padding.left;
                if (iy < 0 || iy >= c_.height || ix < 0 || ix >= c_.width) continue;
                for (int64_t c = 0; c < c_.in; ++c) body(n, k, c, oy, ox, iy, ix, r, s);
              }
  }
  static size_t index(const Shape& s, int64_t n, int64_t c, int64_t h, int64_t w) {
    return static_cast<size_t>(((n * s[1] + c) * s[2] + h) * s[3] + w);
  }

  static double activated(double v, const Activation& a) {
    switch (a.kind) {
      case Activation::Kind::none:
        return v;
      case Activation::Kind::relu:
        return std::max(v, 0.0);
      case Activation::Kind::leaky_relu:
        return v > 0 ? v : v * static_cast<double>(a.alpha);
      case Activation::Kind::clip:
        return std::clamp(v, static_cast<double>(a.alpha), static_cast<double>(a.beta));
    }
    return v;
  }

  static void expect_close(const Tensor& actual, const std::vector<double>& expected) {
    ASSERT_EQ(static_cast<size_t>(actual.elements()), expected.size());
    double largest = 1e-3, worst = 0;
    for (double v : expected) largest = std::max(largest, std::fabs(v));
    for (size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::fabs(static_cast<double>(actual.data<float>()[i]) - expected[i]));
    EXPECT_LT(worst, 5e-6 * largest);
  }

  /// Runs a graph of one node over pictures; those named in `in_place` come from a node before, so that their memory is
  /// free.
  Tensor run(const OperatorPtr& op, const std::vector<const Tensor*>& pictures, bool weights, const Tensor* bias,
             const Tensor* residual, bool in_place, int threads) const {
    Graph g;
    std::vector<ValueId> ids;
    std::vector<const Tensor*> fed;
    const auto feed = [&](const Tensor& t) {
      fed.push_back(&t);
      return g.add_input("x" + std::to_string(fed.size()), DType::f32, t.shape());
    };
    for (const Tensor* t : pictures) ids.push_back(feed(*t));
    if (weights) ids.push_back(g.add_constant("w", w_.clone()));
    if (bias) ids.push_back(g.add_constant("b", bias->clone()));
    if (residual) {
      ValueId r = feed(*residual);
      if (in_place) r = g.add("negative", make_unary(Unary::Kind::neg), {r});
      ids.push_back(r);
    }
    g.outputs = {g.add("node", op, ids)};
    Plan plan(std::move(g), test_backend(), threads);
    for (size_t i = 0; i < fed.size(); ++i) copy_from_plain(fed[i]->raw(), plan.input(i));
    plan.forward();
    Tensor result(DType::f32, plan.output(0).shape);
    copy_to_plain(plan.output(0), result.raw());
    return result;
  }

  static bool same_bits(const Tensor& a, const Tensor& b) {
    return std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.elements()) * sizeof(float)) == 0;
  }

  Case c_ = GetParam();
  Convolution op_;
  Shape y_shape_{c_.images, c_.out, extent(c_.height, c_.padding.top, c_.padding.bottom, c_),
                 extent(c_.width, c_.padding.left, c_.padding.right, c_)};
  Tensor x_ = random_tensor({c_.images, c_.in, c_.height, c_.width}, 1), w_, b_ = random_tensor({c_.out}, 3),
         residual_ = random_tensor(y_shape_, 4), dy_ = random_tensor(y_shape_, 5);
};

TEST_P(ConvolutionKernels, ForwardIsTheSumBiasResidualAndActivation) {
  std::vector<double> sums(static_cast<size_t>(y_shape_.elements()));
  for_products([&](int64_t n, int64_t k, int64_t c, int64_t oy, int64_t ox, int64_t iy, int64_t ix, int64_t r,
                   int64_t s) { sums[index(y_shape_, n, k, oy, ox)] += x(n, c, iy, ix) * at(w_, k, c, r, s); });
  for (const bool in_place : {false, true}) {
    std::vector<double> expected = sums;
    const int64_t pixels = y_shape_[2] * y_shape_[3];
    for (size_t i = 0; i < expected.size(); ++i) {
      const double residual =
          c_.tail.residual ? static_cast<double>(residual_.data<float>()[i]) * (in_place ? -1 : 1) : 0;
      expected[i] = activated(
          expected[i] +
              static_cast<double>(b_.data<float>()[i / static_cast<size_t>(pixels) % static_cast<size_t>(c_.out)]) +
              residual,
          c_.tail.activation);
    }
    const auto op = std::make_shared<Convolution>(op_);
    const Tensor y = run(op, {&x_}, true, &b_, c_.tail.residual ? &residual_ : nullptr, in_place, 2);
    expect_close(y, expected);
    EXPECT_TRUE(same_bits(y, run(op, {&x_}, true, &b_, c_.tail.residual ? &residual_ : nullptr, in_place, 1)))
        << "one thread";
    EXPECT_TRUE(same_bits(y, run(op, {&x_}, true, &b_, c_.tail.residual ? &residual_ : nullptr, in_place, 3)))
        << "three threads";
  }
}

TEST_P(ConvolutionKernels, GradientOfTheInputIsTheAdjoint) {
  std::vector<double> sums(static_cast<size_t>(x_.elements()));
  for_products([&](int64_t n, int64_t k, int64_t c, int64_t oy, int64_t ox, int64_t iy, int64_t ix, int64_t r,
                   int64_t s) { sums[index(x_.shape(), n, c, iy, ix)] += at(dy_, n, k, oy, ox) * at(w_, k, c, r, s); });
  const Tensor other = random_tensor(x_.shape(), 6);
  for (const bool in_place : {false, true}) {
    auto op = std::make_shared<ConvolutionBackwardData>();
    op->window = op_.window;
    op->input_shape = x_.shape();
    op->tail = c_.tail;
    std::vector<double> expected = sums;
    for (size_t i = 0; i < expected.size(); ++i) {
      expected[i] = activated(
          expected[i] + (c_.tail.residual ? static_cast<double>(other.data<float>()[i]) * (in_place ? -1 : 1) : 0),
          c_.tail.activation);
    }
    const Tensor dx = run(op, {&dy_}, true, nullptr, c_.tail.residual ? &other : nullptr, in_place, 2);
    expect_close(dx, expected);
    EXPECT_TRUE(same_bits(dx, run(op, {&dy_}, true, nullptr, c_.tail.residual ? &other : nullptr, in_place, 3)))
        << "three threads";
  }
}

TEST_P(ConvolutionKernels, GradientOfTheWeightsIsTheAdjoint) {
  std::vector<double> expected(static_cast<size_t>(w_.elements()));
  for_products([&](int64_t n, int64_t k, int64_t c, int64_t oy, int64_t ox, int64_t iy, int64_t ix, int64_t r,
                   int64_t s) { expected[index(w_.shape(), k, c, r, s)] += at(dy_, n, k, oy, ox) * x(n, c, iy, ix); });
  auto op = std::make_shared<ConvolutionBackwardWeights>();
  op->window = op_.window;
  op->weight_shape = w_.shape();
  const Tensor dw = run(op, {&x_, &dy_}, false, nullptr, nullptr, false, 2);
  expect_close(dw, expected);
  EXPECT_TRUE(same_bits(dw, run(op, {&x_, &dy_}, false, nullptr, nullptr, false, 1))) << "one thread";
  EXPECT_TRUE(same_bits(dw, run(op, {&x_, &dy_}, false, nullptr, nullptr, false, 3))) << "three threads";
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvolutionKernels, testing::ValuesIn(kCases),
                         [](const auto& shape) { return std::string(shape.param.name); });

TEST(ConvolutionGradient, OfTheBiasSumsOverAllPixels) {
  Graph g;
  auto op = std::make_shared<ConvolutionBackwardWeights>();
  op->window.kernel = {1, 1};
  op->weight_shape = {80, 16, 1, 1};
  op->bias = true;
  const Tensor x = random_tensor({3, 16, 17, 19}, 1), dy = random_tensor({3, 80, 17, 19}, 2);
  g.outputs =
      g.add_node("node", op, {g.add_input("x", DType::f32, x.shape()), g.add_input("dy", DType::f32, dy.shape())});
  Plan plan(std::move(g), test_backend());
  copy_from_plain(x.raw(), plan.input(0));
  copy_from_plain(dy.raw(), plan.input(1));
  plan.forward();
  Tensor db(DType::f32, {80});
  copy_to_plain(plan.output(1), db.raw());
  for (int64_t k = 0; k < 80; ++k) {
    double expected = 0;
    for (int64_t n = 0; n < 3; ++n)
      for (int64_t i = 0; i < 17 * 19; ++i)
        expected += static_cast<double>(dy.data<float>()[static_cast<size_t>((n * 80 + k) * 17 * 19 + i)]);
    EXPECT_NEAR(static_cast<double>(db.data<float>()[static_cast<size_t>(k)]), expected, 1e-4) << "channel " << k;
  }
}

}  // namespace
}  // namespace graft
