#include <cmath>
#include <limits>

#include "runtime/cpu/vector/functions.h"
#include "runtime/ops/unary.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

using K = Unary::Kind;
using cpu::VectorFunctions;

struct Reference {
  K kind;
  float alpha, beta;
  double (*value)(double x);
};

double elu(double x) { return x > 0 ? x : std::expm1(x); }
double selu(double x) { return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x)); }
double celu(double x) { return x > 0 ? x : 2 * std::expm1(x / 2); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double swish(double x) { return x * sigmoid(x); }
double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}
double mish(double x) { return x * std::tanh(std::log1p(std::exp(x))); }
double hard_sigmoid(double x) { return std::fmax(0, std::fmin(1, 0.2 * x + 0.5)); }
double hard_swish(double x) { return x * std::fmax(0, std::fmin(1, x / 6 + 0.5)); }

constexpr Reference kReferences[] = {
    {K::exp, 0, 0, [](double x) { return std::exp(x); }},
    {K::sigmoid, 0, 0, sigmoid},
    {K::swish, 1, 0, swish},
    {K::tanh, 0, 0, [](double x) { return std::tanh(x); }},
    {K::erf, 0, 0, [](double x) { return std::erf(x); }},
    {K::gelu, 0, 0, gelu},
    {K::gelu_tanh, 0, 0, gelu_tanh},
    {K::mish, 0, 0, mish},
    {K::hard_sigmoid, 0.2f, 0.5f, hard_sigmoid},
    {K::hard_swish, 0, 0, hard_swish},
    {K::elu, 1, 0, elu},
    {K::selu, 1.67326319f, 1.05070102f, selu},
    {K::celu, 2, 0, celu},
};

TEST(VectorFunctions, AgreeWithTheStandardLibraryInDouble) {
  for (const Reference& r : kReferences) {
    SCOPED_TRACE(traits(r.kind).type);
    const auto loop = cpu::vector_functions().value[static_cast<size_t>(r.kind)];
    ASSERT_NE(loop, nullptr);
    std::vector<float> x, y;
    for (int i = -4001; i <= 4001; ++i)
      x.push_back(static_cast<float>(i) * 0.005f);  // an odd count: the last register is not full
    y.resize(x.size());
    loop(static_cast<int64_t>(x.size()), x.data(), r.alpha, r.beta, y.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = r.value(static_cast<double>(x[i]));
      ASSERT_NEAR(static_cast<double>(y[i]), expected, 4e-7 * std::fmax(1.0, std::fabs(expected))) << "at " << x[i];
    }
  }
}

TEST(VectorFunctions, ExponentialReachesZeroInfinityAndNotANumber) {
  const float x[5] = {-200, 200, std::numeric_limits<float>::quiet_NaN(), 88.7f, -87.3f};
  float y[5];
  cpu::vector_functions().value[static_cast<size_t>(K::exp)](5, x, 0, 0, y);
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_TRUE(std::isinf(y[1]));
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_NEAR(y[3] / std::exp(88.7f), 1.0f, 1e-6f);
  EXPECT_NEAR(y[4] / std::exp(-87.3f), 1.0f, 1e-6f);
}

TEST(Functions, GradientsMatchFiniteDifferences) {
  for (const UnaryTraits& f : unary_functions()) {
    if (f.slope == UnaryTraits::Slope::none) continue;
    SCOPED_TRACE(f.type);
    const bool positive = f.kind == K::log || f.kind == K::sqrt || f.kind == K::reciprocal;
    const float low = f.kind == K::acosh ? 1.5f
                      : positive         ? 0.5f
                                         : -0.9f,
                high = f.kind == K::acosh || positive ? 2.0f : 0.9f;
    const float alpha = f.kind == K::clip ? -0.5f
                        : f.alpha.name    ? f.alpha.otherwise
                                          : 0.0f,
                beta = f.kind == K::clip ? 0.5f
                       : f.beta.name     ? f.beta.otherwise
                                         : 0.0f;
    expect_gradients(make_unary(f.kind, alpha, beta), {random_tensor({37}, 5, low, high)}, {true}, 1e-3f);
  }
}

TEST(Functions, OnesWithoutAnUsefulSlopeSaySo) {
  Graph graph;
  auto x = graph.add_constant("x", Tensor::of<float>({2}, {0.5f, 1.5f}));
  graph.value(x).trainable = true;
  graph.outputs = {graph.add("node", make_unary(K::round), {x})};
  EXPECT_THROW(differentiate(graph, {graph.outputs[0]}, {x}), Error);
}

TEST(Functions, RoundTakesHalvesToTheEvenNeighbour) {
  expect_floats(run_operator(make_unary(K::round), {floats({4}, {0.5f, 1.5f, 2.5f, -2.5f})}), {4}, {0, 2, 2, -2});
}
TEST(Functions, ShrinkCutsTheMiddle) {
  expect_floats(run_operator(make_unary(K::shrink, 1.5f, 0.5f), {floats({3}, {-2, 1, 2})}), {3}, {-1.5f, 0, 1.5f});
}

}  // namespace
}  // namespace graft
