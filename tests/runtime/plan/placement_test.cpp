#include "runtime/plan/placement.h"

#include <gtest/gtest.h>

#include "runtime/core/strided_copy.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/softmax.h"
#include "tests/backend.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

ValueId reshaped(Graph& graph, const std::string& name, ValueId x, Shape shape) {
  auto op = std::make_shared<ReshapeTo>();
  op->target = std::move(shape);
  return graph.add(name, op, {x});
}

ValueId transposed(Graph& graph, const std::string& name, ValueId x, std::vector<int64_t> permutation) {
  auto op = std::make_shared<Transpose>();
  op->permutation = std::move(permutation);
  return graph.add(name, op, {x});
}

/// A convolution, and attention between its pixels with two heads, added to it again.
struct Attending {
  Graph graph;
  ValueId pixels, heads, across, scores, weights, result, back, sum;
  Attending() {
    const ValueId x = graph.add_input("x", DType::f32, {2, 8, 3, 4});
    pixels = graph.add("conv", std::make_shared<Convolution>(),
                       {x, graph.add_constant("w", random_tensor({8, 8, 1, 1}, 1))});
    heads = transposed(graph, "heads", reshaped(graph, "split", pixels, {2, 2, 4, 12}), {0, 1, 3, 2});
    across = transposed(graph, "across", heads, {0, 1, 3, 2});
    scores = graph.add("scores", std::make_shared<MatMul>(), {heads, across});
    auto softmax = std::make_shared<Softmax>();
    softmax->axis = -1;
    weights = graph.add("weights", softmax, {graph.add("masked", make_binary(Binary::Kind::add), {scores, scores})});
    result = graph.add("result", std::make_shared<MatMul>(), {weights, heads});
    back = reshaped(graph, "back", transposed(graph, "turned", result, {0, 1, 3, 2}), {2, 8, 3, 4});
    sum = graph.add("sum", make_binary(Binary::Kind::add), {back, pixels});
    graph.outputs = {sum};
  }
};

TEST(Placement, MatricesAreRowMajorAndPicturesChannelsLast) {
  const Attending a;
  const Placement placement(a.graph, test_backend());
  for (const ValueId id : {a.heads, a.across, a.scores, a.weights, a.result})
    EXPECT_EQ(placement.strides(id), plain_strides(a.graph.value(id).shape)) << a.graph.value(id).name;
  for (const ValueId id : {a.graph.inputs[0], a.pixels, a.back, a.sum})
    EXPECT_EQ(placement.strides(id), channels_last_strides(a.graph.value(id).shape)) << a.graph.value(id).name;
}

TEST(Placement, WhereValuesLieChangesNoResult) {
  const Attending a;
  Plan plan(a.graph, test_backend());
  const Tensor x = random_tensor({2, 8, 3, 4}, 3);
  copy_from_plain(x.raw(), plan.input(0));
  plan.forward();
  Tensor y(DType::f32, plan.output(0).shape);
  copy_to_plain(plan.output(0), y.raw());
  // The same by its definition.
  const auto& w = a.graph.value(a.graph.find("w")).constant->data<float>();
  for (size_t n = 0; n < 2; ++n) {
    double pixel[8][12];
    for (size_t c = 0; c < 8; ++c)
      for (size_t p = 0; p < 12; ++p) {
        pixel[c][p] = 0;
        for (size_t k = 0; k < 8; ++k)
          pixel[c][p] += static_cast<double>(w[c * 8 + k]) * static_cast<double>(x.data<float>()[(n * 8 + k) * 12 + p]);
      }
    for (size_t c = 0; c < 8; ++c)
      for (size_t p = 0; p < 12; ++p) {
        double sum = 0, total = 0;
        for (size_t q = 0; q < 12; ++q) {
          double score = 0;
          for (size_t d = 0; d < 4; ++d) score += pixel[c / 4 * 4 + d][p] * pixel[c / 4 * 4 + d][q];
          const double weight = std::exp(2 * score);
          total += weight;
          sum += weight * pixel[c][q];
        }
        EXPECT_NEAR(y.data<float>()[(n * 8 + c) * 12 + p], sum / total + pixel[c][p], 1e-4)
            << n << ' ' << c << ' ' << p;
      }
  }
}

/// Biases of relative places and of pixels: numbers of rank four that are learnt, whose gradients are summed to them
/// or, of one picture, are those of the activations.
TEST(Placement, GradientsOfAddedNumbersLieAsThese) {
  for (const int64_t batch : {1, 2}) {
    Graph graph;
    const ValueId x = graph.add_input("x", DType::f32, {batch, 8, 3, 4});
    const ValueId w = graph.add_constant("w", random_tensor({8, 8, 1, 1}, 1)),
                  pixels = graph.add_constant("pixels", random_tensor({1, 8, 3, 4}, 2)),
                  places = graph.add_constant("places", random_tensor({1, 2, 12, 12}, 3));
    const auto add = [&](const char* name, ValueId a, ValueId b) {
      return graph.add(name, make_binary(Binary::Kind::add), {a, b});
    };
    const ValueId maps = add("placed", graph.add("conv", std::make_shared<Convolution>(), {x, w}), pixels);
    const ValueId heads = transposed(graph, "heads", reshaped(graph, "split", maps, {batch, 2, 4, 12}), {0, 1, 3, 2});
    const ValueId scores =
        graph.add("scores", std::make_shared<MatMul>(), {heads, transposed(graph, "across", heads, {0, 1, 3, 2})});
    auto softmax = std::make_shared<Softmax>();
    softmax->axis = -1;
    const ValueId weights = graph.add("weights", softmax, {add("biased", scores, places)});
    auto flat = std::make_shared<Flatten>();
    graph.outputs = {graph.add("flat", flat, {graph.add("mixed", std::make_shared<MatMul>(), {weights, heads})})};
    for (const ValueId id : {w, pixels, places}) graph.value(id).trainable = true;
    const TrainingPlan plan = compile_training(graph, {batch, 3, 4}, test_backend(), 0);
    ASSERT_EQ(plan.gradients.size(), 3u);
    for (const auto& [tensor, output] : plan.gradients) {
      const View gradient = plan.plan.output(output);
      EXPECT_TRUE(is_row_major(gradient.shape, gradient.strides)) << batch << ' ' << gradient.shape.str();
      EXPECT_EQ(gradient.shape, tensor->shape());
    }
  }
}

}  // namespace
}  // namespace graft
