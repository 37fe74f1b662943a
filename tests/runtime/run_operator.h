#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/core/error.h"
#include "runtime/core/random.h"
#include "runtime/passes/passes.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"

namespace graft {

/// A tensor that can stand in an initialiser list (Tensor itself only moves).
class Given {
 public:
  Given(Tensor tensor) : tensor_(std::make_shared<Tensor>(std::move(tensor))) {}
  operator const Tensor&() const { return *tensor_; }
  const Tensor& operator*() const { return *tensor_; }
  const Tensor* operator->() const { return tensor_.get(); }

 private:
  std::shared_ptr<Tensor> tensor_;
};

inline Given floats(Shape shape, std::initializer_list<float> values) {
  return Tensor::of<float>(std::move(shape), values);
}

/// The graph with its composites, if it has any, spelled out as plans have them.
inline Graph without_composites(const Graph& graph) {
  const auto is_composite = [](const Node& node) { return node.op->is_composite(); };
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), is_composite) ? specialise(graph, {}, test_backend())
                                                                           : graph;
}

/// Runs one operator as a plan would (activations channels-last), with row-major tensors in and out. Inputs after the
/// first are constants.
inline Tensor run_operator(OperatorPtr op, const std::vector<Given>& inputs, size_t output = 0) {
  Graph graph;
  std::vector<ValueId> ids;
  for (size_t i = 0; i < inputs.size(); ++i) {
    ids.push_back(i == 0 ? graph.add_input("x", inputs[0]->dtype(), inputs[0]->shape())
                         : graph.add_constant("c" + std::to_string(i), inputs[i]->clone()));
  }
  graph.outputs = graph.add_node("node", std::move(op), ids);
  Plan plan(without_composites(graph), test_backend());
  copy_from_plain(inputs[0]->raw(), plan.input(0));
  plan.forward();
  const View y = plan.output(output);
  Tensor result(y.dtype, y.shape);
  copy_to_plain(y, result.raw());
  return result;
}

inline void expect_floats(const Tensor& actual, const Shape& shape, const std::vector<float>& expected,
                          float tolerance = 1e-5f) {
  ASSERT_EQ(actual.shape().str(), shape.str());
  ASSERT_EQ(static_cast<size_t>(actual.elements()), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::isinf(expected[i]))
      EXPECT_EQ(actual.data<float>()[i], expected[i]) << "at " << i;
    else
      EXPECT_NEAR(actual.data<float>()[i], expected[i], tolerance) << "at " << i;
  }
}

inline Tensor random_tensor(Shape shape, uint64_t key, float low = -1, float high = 1) {
  Tensor t(DType::f32, std::move(shape));
  Random random(key);
  for (float& v : t.data<float>()) v = random.uniform(low, high);
  return t;
}

/// How far a gradient in float32 may be from differences of float32 results, relative to the larger of 1 and itself:
/// rounding of L by 10⁻⁷, divided by the step.
inline constexpr double kFloat32GradientTolerance = 5e-3;

/// Checks dL/d(every float input) of an operator against central differences of L = Σ r·y of fourth order, in the
/// directions of single elements. `step`: small enough that no kink lies within two steps of an input.
inline void expect_gradients(const OperatorPtr& op, const std::vector<Given>& inputs, const std::vector<bool>& wanted,
                             float step = 1e-2f) {
  Graph graph;
  std::vector<ValueId> ids, wanted_ids;
  std::vector<std::shared_ptr<Tensor>> parameters;
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto tensor = std::make_shared<Tensor>(inputs[i]->clone());
    // A four-dimensional parameter stays row-major, an activation does not: input 0 goes through an Identity-like
    // addition.
    ids.push_back(graph.add_constant("p" + std::to_string(i), tensor));
    parameters.push_back(tensor);
    if (wanted[i]) graph.value(ids.back()).trainable = true;
  }
  if (inputs[0]->shape().rank() == 4) {
    ids[0] = graph.add_input("x", DType::f32, inputs[0]->shape());
    if (wanted[0]) wanted_ids.push_back(ids[0]);
  } else if (wanted[0]) {
    wanted_ids.push_back(ids[0]);
  }
  for (size_t i = 1; i < inputs.size(); ++i)
    if (wanted[i]) wanted_ids.push_back(ids[i]);
  graph.outputs = {graph.add("node", op, ids)};
  graph = without_composites(graph);
  const Gradients gradients = differentiate(graph, {graph.outputs[0]}, wanted_ids);
  const bool picture = inputs[0]->shape().rank() == 4;
  Plan plan(graph, test_backend());
  View seed = plan.input(picture ? 1 : 0);
  Tensor x = inputs[0]->clone(), r = random_tensor(seed.shape, 77);
  const auto loss = [&] {
    if (picture) copy_from_plain(x.raw(), plan.input(0));
    copy_from_plain(r.raw(), seed);
    plan.refresh();
    plan.forward({1, 2});
    Tensor y(DType::f32, plan.output(0).shape);
    copy_to_plain(plan.output(0), y.raw());
    double sum = 0;
    for (int64_t i = 0; i < y.elements(); ++i)
      sum += static_cast<double>(y.data<float>()[static_cast<size_t>(i)]) *
             static_cast<double>(r.data<float>()[static_cast<size_t>(i)]);
    return sum;
  };
  loss();
  plan.backward({1, 2});
  std::vector<Tensor> analytic;
  for (size_t g = 0; g < gradients.of.size(); ++g) {
    ASSERT_NE(gradients.of[g].second, kNoValue);
    const auto& outputs = plan.graph().outputs;
    const auto at =
        static_cast<size_t>(std::find(outputs.begin(), outputs.end(), gradients.of[g].second) - outputs.begin());
    Tensor t(DType::f32, plan.output(at).shape);
    copy_to_plain(plan.output(at), t.raw());
    analytic.push_back(std::move(t));
  }
  for (size_t g = 0; g < gradients.of.size(); ++g) {
    const bool is_picture = picture && gradients.of[g].first == ids[0];
    auto values = is_picture ? x.data<float>() : plan.graph().value(gradients.of[g].first).constant->data<float>();
    const size_t stride = std::max<size_t>(1, values.size() / 24);
    for (size_t i = 0; i < values.size(); i += stride) {
      const float original = values[i];
      // The slope over a distance as it is after rounding.
      const auto slope = [&](float distance) {
        values[i] = original + distance;
        const double right = static_cast<double>(values[i]), up = loss();
        values[i] = original - distance;
        const double left = static_cast<double>(values[i]), down = loss();
        values[i] = original;
        return (up - down) / (right - left);
      };
      const double numerical = (4 * slope(step) - slope(2 * step)) / 3,
                   expected = static_cast<double>(analytic[g].data<float>()[i]);
      EXPECT_NEAR(numerical, expected, kFloat32GradientTolerance * std::max(1.0, std::fabs(expected)))
          << "gradient " << g << ", element " << i;
    }
  }
}

}  // namespace graft
