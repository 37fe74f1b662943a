// A norm's gradient that a convolution's gradient passes on says what the two say apart.
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/convolution.h"
#include "tests/backend.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

struct Case {
  const char* name;
  Shape x;      // of the norm, and of the gradient that reaches it
  int64_t out;  // channels of the convolution behind it
  int64_t kernel;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class ShareNormGradients : public testing::TestWithParam<Case> {
 protected:
  /// x → norm → + residual → relu → y → convolution, backwards: from the convolution's dy, with another branch's
  /// gradient of y.
  Graph backward_pass() const {
    const Case& c = GetParam();
    const int64_t channels = c.x[1];
    Graph graph;
    const ValueId dy = graph.add_input("dy", DType::f32, {c.x[0], c.out, c.x[2], c.x[3]}),
                  other = graph.add_input("other", DType::f32, c.x);
    const ValueId x = graph.add_input("x", DType::f32, c.x), y = graph.add_input("y", DType::f32, c.x);
    const ValueId w = graph.add_constant("w", random_tensor({c.out, channels, c.kernel, c.kernel}, 1));
    const ValueId scale = graph.add_constant("scale", random_tensor({channels}, 2, 0.5f, 2)),
                  bias = graph.add_constant("bias", random_tensor({channels}, 3));
    const ValueId mean = graph.add_constant("mean", random_tensor({channels}, 4)),
                  variance = graph.add_constant("variance", random_tensor({channels}, 5, 0.5f, 2));
    auto convolution = std::make_shared<ConvolutionBackwardData>();
    convolution->window.kernel = {c.kernel, c.kernel};
    convolution->window.padding = {c.kernel / 2, c.kernel / 2, c.kernel / 2, c.kernel / 2};
    convolution->input_shape = c.x;
    convolution->tail.residual = true;
    auto norm = std::make_shared<BatchNormGradient>();
    norm->tail = {true, {Activation::Kind::relu, 0, 0}};
    graph.outputs = graph.add_node(
        "norm", norm, {graph.add("convolution", convolution, {dy, w, other}), x, scale, bias, mean, variance, y});
    return graph;
  }

  static std::vector<Tensor> run(const Graph& graph) {
    Plan plan(graph, test_backend());
    for (size_t i = 0; i < plan.input_count(); ++i)
      copy_from_plain(random_tensor(plan.input(i).shape, 10 + i).raw(), plan.input(i));
    plan.forward();
    std::vector<Tensor> results;
    for (size_t i = 0; i < plan.output_count(); ++i) {
      results.emplace_back(DType::f32, plan.output(i).shape);
      copy_to_plain(plan.output(i), results.back().raw());
    }
    return results;
  }
};

TEST_P(ShareNormGradients, ChangesNoGradient) {
  const Graph apart = backward_pass();
  Graph shared = apart;
  share_norm_gradients(shared);
  ASSERT_EQ(shared.nodes[1].op->type(), "BatchNormInputGradient");
  ASSERT_EQ(shared.nodes[0].outputs.size(), 3u);
  const auto expected = run(apart), actual = run(shared);
  ASSERT_EQ(actual.size(), 4u);
  for (size_t i = 0; i < actual.size(); ++i) {
    float largest = 0, difference = 0;
    for (size_t k = 0; k < static_cast<size_t>(actual[i].elements()); ++k) {
      largest = std::max(largest, std::fabs(expected[i].data<float>()[k]));
      difference = std::max(difference, std::fabs(expected[i].data<float>()[k] - actual[i].data<float>()[k]));
    }
    EXPECT_LE(difference, 1e-5f * largest) << "output " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, ShareNormGradients,
                         testing::Values(Case{"Pointwise", {2, 32, 5, 6}, 16, 1},
                                         Case{"PointwiseBeyondTheCaches", {33, 64, 64, 63}, 32, 1},
                                         Case{"ThreeByThree", {3, 16, 9, 8}, 32, 3}),
                         [](const auto& c) { return c.param.name; });

TEST(ShareNormGradientsAlone, LeavesAGradientThatOthersRead) {
  Graph graph;
  const Shape shape{2, 16, 4, 4};
  const ValueId dy = graph.add_input("dy", DType::f32, shape), x = graph.add_input("x", DType::f32, shape),
                y = graph.add_input("y", DType::f32, shape);
  const auto constant = [&](const char* name, Shape s) {
    return graph.add_constant(name, random_tensor(std::move(s), 1, 0.5f, 1));
  };
  auto convolution = std::make_shared<ConvolutionBackwardData>();
  convolution->window.kernel = {1, 1};
  convolution->input_shape = shape;
  const ValueId gradient = graph.add("convolution", convolution, {dy, constant("w", {16, 16, 1, 1})});
  auto norm = std::make_shared<BatchNormGradient>();
  norm->tail.residual = true;
  graph.outputs = graph.add_node("norm", norm,
                                 {gradient, x, constant("scale", {16}), constant("bias", {16}), constant("mean", {16}),
                                  constant("variance", {16}), y});
  graph.outputs.push_back(gradient);
  share_norm_gradients(graph);
  EXPECT_EQ(graph.nodes[1].op->type(), "BatchNormGradient");
}

}  // namespace
}  // namespace graft
