#include "runtime/ops/convolution.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

/// Whose types the pass sets; it computes nothing.
class Bf16 final : public Backend {
 public:
  std::string_view name() const override { return "types"; }
  DType activations() const override { return DType::bf16; }
  std::unique_ptr<Kernel> make_kernel(const KernelRequest&) const override { return nullptr; }
  void use_threads(int) const override {}
};

/// Two layers share their weights: the weights' gradient is a sum, as exact and laid out as what it adds up.
TEST(LowerPrecision, SumsOfAWeightsGradientsStayFloat) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {1, 2, 4, 4});
  const ValueId w = graph.add_constant("w", random_tensor({2, 2, 3, 3}, 1));
  graph.value(w).trainable = true;
  auto convolution = std::make_shared<Convolution>();
  convolution->window.kernel = {3, 3};
  convolution->window.padding = {1, 1, 1, 1};
  graph.outputs = {graph.add("second", convolution, {graph.add("first", convolution, {x, w}), w})};
  const std::vector<ValueId> scores = graph.outputs;
  const ValueId gradient = differentiate(graph, scores, {w}).of.at(0).second;
  const auto made_by = [&](ValueId id) { return graph.nodes[static_cast<size_t>(graph.producers()[id])]; };
  ASSERT_EQ(made_by(gradient).op->type(), "Add");

  lower_precision(graph, Bf16());
  EXPECT_EQ(graph.value(scores[0]).dtype, DType::bf16) << "activations are halves";
  ASSERT_EQ(made_by(gradient).op->type(), "Add");
  for (ValueId id : made_by(gradient).inputs) EXPECT_EQ(graph.value(id).dtype, DType::f32);
  EXPECT_EQ(graph.outputs.back(), gradient);
  EXPECT_TRUE(weight_like_values(graph)[static_cast<size_t>(gradient)]);
}

}  // namespace
}  // namespace graft
