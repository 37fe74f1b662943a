// Operators that are told places by indices: known when a plan is made, or depending on the data.
#include "runtime/core/error.h"
#include "runtime/ops/gather_elements.h"
#include "runtime/ops/gather_nd.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/scatter.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

Given indices(Shape shape, std::initializer_list<int64_t> values) {
  return Tensor::of<int64_t>(std::move(shape), values);
}

OperatorPtr gather_elements(int64_t axis) {
  auto op = std::make_shared<GatherElements>();
  op->axis = axis;
  return op;
}

OperatorPtr gather(int64_t axis) {
  auto op = std::make_shared<Gather>();
  op->axis = axis;
  return op;
}

OperatorPtr gather_nd(int64_t batch_dims) {
  auto op = std::make_shared<GatherND>();
  op->batch_dims = batch_dims;
  return op;
}

OperatorPtr scatter(Scatter::Of of, Scatter::Reduction reduction, int64_t axis = 0) {
  auto op = std::make_shared<Scatter>();
  op->of = of;
  op->reduction = reduction;
  op->axis = axis;
  return op;
}

/// The result and the gradients of all float inputs, row-major, with indices that are known or an input of the graph.
std::vector<Tensor> results(const OperatorPtr& op, const std::vector<Given>& given, bool known) {
  Graph graph;
  std::vector<ValueId> ids, wanted;
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string name = "v" + std::to_string(i);
    const bool is_index = given[i]->dtype() != DType::f32;
    ids.push_back(is_index && known ? graph.add_constant(name, given[i]->clone())
                                    : graph.add_input(name, given[i]->dtype(), given[i]->shape()));
    if (!is_index) wanted.push_back(ids.back());
  }
  const std::vector<ValueId> inputs = graph.inputs;
  graph.outputs = {graph.add("node", op, ids)};
  graph = without_composites(graph);
  const Gradients gradients = differentiate(graph, {graph.outputs[0]}, wanted);
  Plan plan(graph, test_backend());
  for (size_t i = 0, at = 0; i < given.size(); ++i)
    if (std::find(inputs.begin(), inputs.end(), ids[i]) != inputs.end())
      copy_from_plain(given[i]->raw(), plan.input(at++));
  const View seed = plan.input(inputs.size());
  copy_from_plain(random_tensor(seed.shape, 5).raw(), seed);
  plan.forward({1, 2});
  plan.backward({1, 2});
  std::vector<Tensor> made;
  for (size_t i = 0; i < plan.graph().outputs.size(); ++i) {
    Tensor t(DType::f32, plan.output(i).shape);
    copy_to_plain(plan.output(i), t.raw());
    made.push_back(std::move(t));
  }
  EXPECT_EQ(made.size(), 1 + gradients.of.size());
  return made;
}

void expect_same_by_data(const OperatorPtr& op, const std::vector<Given>& given) {
  const std::vector<Tensor> known = results(op, given, true), by_data = results(op, given, false);
  ASSERT_EQ(known.size(), by_data.size());
  for (size_t i = 0; i < known.size(); ++i) {
    const auto expected = known[i].data<float>();
    expect_floats(by_data[i], known[i].shape(), {expected.begin(), expected.end()}, 1e-6f);
  }
}

/// The examples of ONNX's definition.
TEST(GatherElements, TakesElementsAlongAnAxis) {
  const Given square = floats({2, 2}, {1, 2, 3, 4});
  expect_floats(run_operator(gather_elements(1), {square, indices({2, 2}, {0, 0, 1, 0})}), {2, 2}, {1, 1, 4, 3});
  const Given larger = floats({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  expect_floats(run_operator(gather_elements(0), {larger, indices({2, 3}, {1, 2, 0, 2, 0, 0})}), {2, 3},
                {4, 8, 3, 7, 2, 3});
  expect_floats(run_operator(gather_elements(0), {larger, indices({2, 3}, {-1, -2, 0, -2, 0, 0})}), {2, 3},
                {7, 5, 3, 4, 2, 3});
}

TEST(GatherElements, TakesFewerThanThereAreBesideTheAxis) {
  expect_floats(run_operator(gather_elements(1), {floats({2, 3}, {1, 2, 3, 4, 5, 6}), indices({1, 2}, {2, 0})}), {1, 2},
                {3, 1});
}

TEST(GatherElements, RefusesIndicesThatDoNotFit) {
  const Given square = floats({2, 2}, {1, 2, 3, 4});
  EXPECT_THROW(run_operator(gather_elements(1), {square, indices({2, 1}, {2, 0})}), Error);
  EXPECT_THROW(run_operator(gather_elements(1), {square, indices({2, 1}, {0, -3})}), Error);
  EXPECT_THROW(run_operator(gather_elements(1), {square, indices({3, 1}, {0, 0, 0})}), Error);
  EXPECT_THROW(run_operator(gather_elements(0), {square, indices({2}, {0, 0})}), Error);
}

TEST(GatherElements, AddsTheGradientsOfWhatIsTakenTwice) {
  expect_gradients(gather_elements(2),
                   {random_tensor({2, 3, 4}, 1), indices({2, 3, 2}, {0, 0, 1, -1, 3, 2, 1, 1, 0, 2, 2, 2})},
                   {true, false});
}

TEST(Gather, TakesWhatTheDataSay) {
  for (const Shape& shape : {Shape{5, 3, 4, 2}, Shape{5, 3, 4}})
    for (int64_t axis = 0; axis < 3; ++axis) {
      expect_same_by_data(gather(axis), {random_tensor(shape, 1), indices({4}, {0, 2, 2, -1})});
      expect_same_by_data(gather(axis), {random_tensor(shape, 1), indices({2, 2}, {1, 1, -2, 0})});
      expect_same_by_data(gather(axis), {random_tensor(shape, 1), indices({}, {1})});
    }
  EXPECT_THROW(results(gather(0), {random_tensor({2, 3}, 1), indices({1}, {2})}, false), Error);
}

TEST(GatherND, TakesWhatTheDataSay) {
  const Given x = random_tensor({2, 3, 4, 2}, 1);
  expect_same_by_data(gather_nd(0), {x, indices({3, 2}, {0, 2, 1, -1, 0, 2})});
  expect_same_by_data(gather_nd(0), {x, indices({2, 4}, {0, 2, 1, 1, 1, 0, -1, 0})});
  expect_same_by_data(gather_nd(1), {x, indices({2, 2, 1}, {2, 2, 0, 1})});
  expect_same_by_data(gather_nd(2), {x, indices({2, 3, 1}, {3, 2, 0, 1, 1, -4})});
  EXPECT_THROW(results(gather_nd(0), {x, indices({1, 1}, {2})}, false), Error);
}

TEST(Scatter, PlacesWhereTheDataSay) {
  const Given x = random_tensor({3, 4, 2}, 1);
  for (const auto reduction : {Scatter::Reduction::none, Scatter::Reduction::add}) {
    expect_same_by_data(scatter(Scatter::Of::slices, reduction),
                        {x, indices({2, 2}, {0, 3, -1, 1}), random_tensor({2, 2}, 2)});
    expect_same_by_data(scatter(Scatter::Of::slices, reduction),
                        {x, indices({2, 1}, {2, 0}), random_tensor({2, 4, 2}, 2)});
    expect_same_by_data(scatter(Scatter::Of::elements, reduction, 1),
                        {x, indices({2, 2, 2}, {0, 3, -1, 1, 2, 0, 1, -1}), random_tensor({2, 2, 2}, 2)});
  }
  // Several updates of one place add up.
  expect_same_by_data(scatter(Scatter::Of::slices, Scatter::Reduction::add),
                      {x, indices({3, 1}, {1, 1, -2}), random_tensor({3, 4, 2}, 2)});
  // Where nothing is added the last of several stays, and it alone has a gradient.
  expect_same_by_data(scatter(Scatter::Of::slices, Scatter::Reduction::none),
                      {x, indices({3, 1}, {1, 1, -2}), random_tensor({3, 4, 2}, 2)});
  expect_same_by_data(scatter(Scatter::Of::elements, Scatter::Reduction::none, 1),
                      {x, indices({2, 3, 2}, {0, 0, 0, 1, 1, 0, 3, 3, 3, 3, 3, 3}), random_tensor({2, 3, 2}, 2)});
  EXPECT_THROW(results(scatter(Scatter::Of::slices, Scatter::Reduction::none),
                       {x, indices({1, 1}, {3}), random_tensor({1, 4, 2}, 2)}, false),
               Error);
  EXPECT_THROW(results(scatter(Scatter::Of::slices, Scatter::Reduction::max),
                       {x, indices({1, 1}, {0}), random_tensor({1, 4, 2}, 2)}, false),
               Error);
}

}  // namespace
}  // namespace graft
