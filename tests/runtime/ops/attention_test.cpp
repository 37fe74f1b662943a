#include "runtime/ops/attention.h"

#include "runtime/core/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

Given stepping(size_t first, const Shape& shape) {
  Tensor t(DType::f32, shape);
  for (size_t i = 0; i < t.data<float>().size(); ++i)
    t.data<float>()[i] = static_cast<float>((5 * i + first) % 11) * 0.25f - 1;
  return t;
}

OperatorPtr attention(const Attention& op) { return std::make_shared<Attention>(op); }

// Two heads that share a key; three keys. Expected values are those of onnx.reference (ONNX 1.22).
const Given kQuery = stepping(0, {1, 2, 2, 2}), kKey = stepping(3, {1, 1, 3, 2}), kValue = stepping(7, {1, 1, 3, 2});
const Shape kResult{1, 2, 2, 2};
const Given kAllowed = Tensor::of<bool>({2, 3}, {true, false, true, true, true, false});

TEST(Attention, WeighsValuesByTheSoftmaxOfScores) {
  expect_floats(run_operator(attention({}), {kQuery, kKey, kValue}), kResult,
                {0.4779674f, 0.01848719f, 0.5436841f, -0.2693552f, 0.5293103f, -0.2104927f, 0.5147123f, -0.1483472f});
}

TEST(Attention, OfHeadsSideBySideIsTheSame) {
  Attention op;
  op.heads = 2;
  op.key_heads = 1;
  expect_floats(run_operator(attention(op), {stepping(0, {1, 2, 4}), stepping(3, {1, 3, 2}), stepping(7, {1, 3, 2})}),
                {1, 2, 4},
                {0.4779674f, 0.01848719f, 0.5436841f, -0.2693552f, 0.5293103f, -0.2104927f, 0.5147123f, -0.1483472f});
}

TEST(Attention, SharesKeysAmongNeighbouringHeads) {
  Attention op;
  op.heads = 4;
  op.key_heads = 2;
  expect_floats(
      run_operator(attention(op),
                   {stepping(0, {2, 1, 8}), stepping(3, {2, 2, 4}), stepping(7, {2, 2, 2}), stepping(2, {2, 4, 1, 2})}),
      {2, 1, 4}, {0.5450436f, 0.5818664f, -0.9275547f, -0.7893806f, 0.2043936f, 0.1974294f, 1.473177f, 1.468641f});
}

TEST(Attention, LooksAtNoLaterKeysWhereCausal) {
  Attention op;
  op.causal = true;
  expect_floats(run_operator(attention(op), {kQuery, kKey, kValue}), kResult,
                {0.75f, -0.75f, 0.6414764f, -0.8585236f, 0.75f, -0.75f, 0.6305207f, -0.8694794f});
}

TEST(Attention, TakesMasksOfBooleansAndOfNumbers) {
  expect_floats(run_operator(attention({}), {kQuery, kKey, kValue, kAllowed}), kResult,
                {0.4670472f, 0.5232875f, 0.6414764f, -0.8585236f, 0.5437395f, 0.1781723f, 0.6305207f, -0.8694794f});
  expect_floats(run_operator(attention({}), {kQuery, kKey, kValue, stepping(1, {2, 2, 3})}), kResult,
                {0.4993634f, -0.5353355f, 0.5327488f, -0.662533f, 0.5653369f, -0.06729467f, 0.5179152f, -0.6118721f});
}

TEST(Attention, MasksKeysThatAShortMaskLeavesOut) {
  expect_floats(run_operator(attention({}), {kQuery, kKey, kValue, stepping(1, {2, 2})}), kResult,
                {0.5501486f, -0.9498513f, 0.5679834f, -0.9320167f, 0.5636977f, -0.9363024f, 0.5595936f, -0.9404063f});
}

TEST(Attention, CapsScoresBeforeTheMask) {
  Attention op;
  op.softcap = 0.5f;
  op.scale = 2;
  expect_floats(
      run_operator(attention(op), {kQuery, kKey, kValue}), kResult,
      {0.4985797f, -0.07857548f, 0.5039694f, -0.09462516f, 0.5008998f, -0.08612813f, 0.5001782f, -0.08398409f});
  expect_floats(run_operator(attention(op), {kQuery, kKey, kValue, kAllowed}), kResult,
                {0.4978656f, 0.3846045f, 0.627809f, -0.8721908f, 0.501348f, 0.3689343f, 0.6250976f, -0.8749024f});
}

TEST(Attention, GradientsMatchFiniteDifferences) {
  Attention op;
  op.softcap = 0.8f;
  op.causal = true;
  const Given mask = random_tensor({2, 4, 3, 3}, 4);
  expect_gradients(
      attention(op),
      {random_tensor({2, 4, 3, 2}, 1), random_tensor({2, 2, 3, 2}, 2), random_tensor({2, 2, 3, 5}, 3), mask},
      {true, true, true, true});
  op.heads = 4;
  op.key_heads = 2;
  op.softcap = 0;
  expect_gradients(attention(op),
                   {random_tensor({2, 3, 8}, 1), random_tensor({2, 3, 4}, 2), random_tensor({2, 3, 6}, 3)},
                   {true, true, true});
}

TEST(Attention, CountsBothProducts) {
  const std::vector<ValueType> types{
      {DType::f32, {2, 4, 3, 2}}, {DType::f32, {2, 2, 6, 2}}, {DType::f32, {2, 2, 6, 5}}};
  EXPECT_EQ(Attention().multiply_adds(types, {}), 2 * 4 * 3 * 6 * (2 + 5));
}

TEST(Attention, RefusesShapesThatDoNotFit) {
  const auto infer = [](const Attention& op, const std::vector<Shape>& shapes) {
    std::vector<ValueType> types;
    for (const Shape& shape : shapes) types.push_back({DType::f32, shape});
    return op.infer(types);
  };
  EXPECT_THROW(infer({}, {{1, 3, 2, 2}, {1, 2, 3, 2}, {1, 2, 3, 2}}), Error) << "three heads for two keys";
  EXPECT_THROW(infer({}, {{1, 2, 2, 2}, {1, 2, 3, 4}, {1, 2, 3, 2}}), Error) << "keys of another width";
  EXPECT_THROW(infer({}, {{1, 2, 2, 2}, {1, 2, 3, 2}, {1, 2, 4, 2}}), Error) << "more values than keys";
  EXPECT_THROW(infer({}, {{1, 2, 4}, {1, 3, 4}, {1, 3, 4}}), Error) << "heads side by side, but how many?";
  EXPECT_THROW(infer({}, {{1, 2, 2, 2}, {1, 2, 3, 2}, {1, 2, 3, 2}, {3, 3}}), Error) << "a mask for more queries";
}

}  // namespace
}  // namespace graft
