#include "importer/output_keys.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/ops/convolution.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/unary.h"

namespace graft {
namespace {

/// A convolution and an activation.
Graph network(const std::string& names, float weight, int64_t stride) {
  Graph g;
  const ValueId x = g.add_input(names + "x", DType::f32, {kOpenDim, 3, 8, 8});
  Tensor w(DType::f32, {4, 3, 3, 3});
  std::fill(w.data<float>().begin(), w.data<float>().end(), 0.5f);
  w.data<float>().back() = weight;
  auto op = std::make_shared<Convolution>();
  op->window.kernel = {3, 3};
  op->window.stride = {stride, stride};
  const ValueId y = g.add(names + "conv", op, {x, g.add_constant(names + "w", std::move(w))});
  g.outputs = {y, g.add(names + "negative", make_unary(Unary::Kind::neg), {y})};
  return g;
}

TEST(OutputKeys, FollowFromWhatComputesAndNotFromNames) {
  const auto keys = output_keys(network("a", 1, 1));
  ASSERT_EQ(keys.size(), 2u);
  ASSERT_TRUE(keys[0] && keys[1]);
  EXPECT_NE(*keys[0], *keys[1]);
  EXPECT_EQ(output_keys(network("other names: ", 1, 1)), keys);
  const auto other_weight = output_keys(network("a", 2, 1)), other_stride = output_keys(network("a", 1, 2));
  for (size_t o = 0; o < 2; ++o) {
    EXPECT_NE(other_weight[o], keys[o]);
    EXPECT_NE(other_stride[o], keys[o]);
  }
  Graph shorter = network("a", 1, 1);
  shorter.outputs.resize(1);
  EXPECT_EQ(output_keys(shorter)[0], keys[0]);  // whatever else the graph computes
  EXPECT_EQ(keys[0]->text().size(), 32u);
}

TEST(OutputKeys, AreNoneWhereAnOperatorHasNoOnnxForm) {
  class Unknown final : public Operator {
   public:
    std::string_view type() const override { return "Unknown"; }
    std::vector<ValueType> infer(std::span<const ValueType> inputs) const override { return {inputs[0]}; }
  };
  Graph g = network("a", 1, 1);
  g.outputs.push_back(g.add("unknown", std::make_shared<Unknown>(), {g.outputs[0]}));
  const auto keys = output_keys(g);
  EXPECT_TRUE(keys[0] && keys[1]);
  EXPECT_FALSE(keys[2]);
}

TEST(OutputKeys, AreNoneWhereRowsDependOnEachOther) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {kOpenDim, 3, 8, 8});
  const auto reduced = [&](std::vector<int64_t> axes) {
    auto op = std::make_shared<Reduce>();
    op->kind = Reduce::Kind::max;
    op->axes = std::move(axes);
    return g.add("max" + std::to_string(g.nodes.size()), op, {x});
  };
  g.outputs = {reduced({0, 1, 2, 3}), reduced({1, 2, 3}), reduced({-4})};
  const auto keys = output_keys(g);
  EXPECT_FALSE(keys[0]);
  EXPECT_TRUE(keys[1]);
  EXPECT_FALSE(keys[2]);
}

}  // namespace
}  // namespace graft
