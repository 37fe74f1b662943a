#include "runtime/ops/binary.h"
#include "runtime/ops/unary.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

using U = Unary::Kind;
using B = Binary::Kind;

TEST(Unary, ReluCutsBelowZero) {
  expect_floats(run_operator(make_unary(U::relu), {floats({3}, {-1, 0, 2})}), {3}, {0, 0, 2});
}
TEST(Unary, ClipKeepsToItsBounds) {
  expect_floats(run_operator(make_unary(U::clip, 0, 6), {floats({3}, {-1, 3, 7})}), {3}, {0, 3, 6});
}
TEST(Unary, SigmoidIsStableFarFromZero) {
  expect_floats(run_operator(make_unary(U::sigmoid), {floats({3}, {-1e4f, 0, 1e4f})}), {3}, {0, 0.5f, 1});
}
TEST(Unary, HardSwishIsZeroBelowMinusThree) {
  expect_floats(run_operator(make_unary(U::hard_swish), {floats({3}, {-3, 1, 4})}), {3}, {0, 0.6666667f, 4});
}
TEST(Unary, LeakyReluKeepsASlope) {
  expect_floats(run_operator(make_unary(U::leaky_relu, 0.1f), {floats({2}, {-10, 10})}), {2}, {-1, 10});
}

TEST(Unary, GradientsMatchFiniteDifferences) {
  for (const U kind : {U::relu, U::clip, U::leaky_relu, U::elu, U::sigmoid, U::hard_sigmoid, U::hard_swish, U::tanh,
                       U::softplus, U::exp, U::neg, U::abs, U::erf}) {
    SCOPED_TRACE(make_unary(kind)->type());
    const float alpha = kind == U::clip ? -0.5f : kind == U::elu ? 1.0f : 0.2f;
    expect_gradients(make_unary(kind, alpha, 0.5f), {random_tensor({37}, 5)}, {true}, 1e-3f);
  }
  for (const U kind : {U::log, U::sqrt, U::reciprocal})
    expect_gradients(make_unary(kind), {random_tensor({19}, 5, 0.5f, 2)}, {true}, 1e-3f);
}

TEST(Binary, AddsPicturesOfOneLayoutAndAppliesTheActivation) {
  auto op = std::make_shared<Binary>();
  op->activation = {Activation::Kind::relu, 0, 0};
  expect_floats(run_operator(op, {floats({1, 2, 1, 2}, {1, 2, 3, 4}), floats({1, 2, 1, 2}, {-5, 1, 1, -9})}),
                {1, 2, 1, 2}, {0, 3, 4, 0});
}

TEST(Binary, BroadcastsAChannelVectorOverAPicture) {
  expect_floats(run_operator(make_binary(B::mul), {floats({1, 2, 1, 2}, {1, 2, 3, 4}), floats({2, 1, 1}, {10, 100})}),
                {1, 2, 1, 2}, {10, 20, 300, 400});
}

TEST(Binary, ComputesEachOfItsFunctions) {
  const Given a = floats({2}, {6, -8}), b = floats({2}, {3, 2});
  expect_floats(run_operator(make_binary(B::sub), {a, b}), {2}, {3, -10});
  expect_floats(run_operator(make_binary(B::div), {a, b}), {2}, {2, -4});
  expect_floats(run_operator(make_binary(B::pow), {a, b}), {2}, {216, 64});
  expect_floats(run_operator(make_binary(B::max), {a, b}), {2}, {6, 2});
  expect_floats(run_operator(make_binary(B::min), {a, b}), {2}, {3, -8});
}

TEST(Binary, GradientsMatchFiniteDifferencesAlsoWhereItBroadcasts) {
  for (const B kind : {B::add, B::sub, B::mul, B::div}) {
    SCOPED_TRACE(make_binary(kind)->type());
    expect_gradients(make_binary(kind), {random_tensor({2, 3, 2, 2}, 1), random_tensor({1, 3, 1, 1}, 2, 1, 2)},
                     {true, true});
    expect_gradients(make_binary(kind), {random_tensor({4, 3}, 1), random_tensor({3}, 2, 1, 2)}, {true, true});
  }
}

/// What is left of a whole number of b's: the number does not change nearby.
TEST(Binary, RemaindersHaveTheGradientOfTheirWholeQuotient) {
  const Given a = floats({2, 3}, {7.3f, -7.3f, 5.2f, -5.2f, 0.6f, 3.1f}), b = floats({3}, {2.1f, 2.4f, -2.2f});
  for (const auto kind : {Binary::Kind::fmod, Binary::Kind::mod})
    expect_gradients(make_binary(kind), {a, b}, {true, true}, 1e-3f);
}

}  // namespace
}  // namespace graft
