#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/ops/movement.h"
#include "tests/runtime/run_operator.h"

namespace graft {

inline std::vector<std::string> types(const Graph& graph) {
  std::vector<std::string> list;
  for (const Node& node : graph.nodes) list.emplace_back(node.op->type());
  return list;
}

inline Tensor run(const Graph& graph, const Tensor& x) {
  Plan plan(graph, test_backend());
  copy_from_plain(x.raw(), plan.input(0));
  plan.forward();
  Tensor y(DType::f32, plan.output(0).shape);
  copy_to_plain(plan.output(0), y.raw());
  return y;
}

/// The graph computes the same before and after a pass.
inline void expect_unchanged(const Graph& before, const Graph& after, const Tensor& x) {
  const Tensor expected = run(before, x), actual = run(after, x);
  expect_floats(actual, expected.shape(), {expected.data<float>().begin(), expected.data<float>().end()});
}

/// dL/d(each trainable constant) where L = Σ r·y with fixed random r, by the constant's name. `after`: a pass over the
/// differentiated graph.
inline std::map<std::string, std::vector<float>> gradients_by_name(
    Graph graph, const Tensor& x, const std::function<void(Graph&)>& after = [](Graph&) {}) {
  std::vector<ValueId> wanted;
  for (size_t id = 0; id < graph.value_count(); ++id)
    if (graph.value(static_cast<ValueId>(id)).trainable) wanted.push_back(static_cast<ValueId>(id));
  const Gradients found = differentiate(graph, {graph.outputs[0]}, wanted);
  after(graph);
  Plan plan(graph, test_backend());
  const Tensor seed = random_tensor(plan.output(0).shape, 10);
  copy_from_plain(x.raw(), plan.input(0));
  copy_from_plain(seed.raw(), plan.input(1));
  plan.forward();
  plan.backward();
  std::map<std::string, std::vector<float>> all;
  for (const auto& [parameter, gradient] : found.of) {
    const auto& outputs = plan.graph().outputs;
    const auto at = static_cast<size_t>(std::find(outputs.begin(), outputs.end(), gradient) - outputs.begin());
    Tensor t(DType::f32, plan.output(at).shape);
    copy_to_plain(plan.output(at), t.raw());
    all[plan.graph().value(parameter).name].assign(t.data<float>().begin(), t.data<float>().end());
  }
  return all;
}

inline std::shared_ptr<Transpose> transposed(std::vector<int64_t> permutation) {
  auto op = std::make_shared<Transpose>();
  op->permutation = std::move(permutation);
  return op;
}

}  // namespace graft
