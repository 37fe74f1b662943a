#pragma once

#include "runtime/core/graph.h"

namespace graft {

/// ONNX Loop whose trip count, or condition, follows from extents that are still open. Inputs: the trip count (absent:
/// no limit), the condition under which it begins (absent: it does), the carried values, then what the body reads from
/// around it. Outputs: the carried values after the last iteration, then those that are stacked along a new first
/// dimension, one row an iteration. `specialise` puts as many copies of the body in its place as it runs, once extents,
/// and with them the count, are known; no backend has a kernel for it.
struct Loop final : Operator {
  std::string_view type() const override { return "Loop"; }
  /// Throws Error: the results are those of the last copy of the body.
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;

  /// Inputs: the number of the iteration (int64, a scalar or one row), the condition (true), the carried values, then
  /// the node's further inputs. Outputs: the condition under which another iteration follows, the carried values, then
  /// those to be stacked. It holds no constants: they are inputs.
  Graph body;
  size_t carried = 0;
  bool may_end = false;  // by the body's condition, before the trip count is reached

  size_t stacked() const { return body.outputs.size() - 1 - carried; }
};

bool has_loops(const Graph& graph);

}  // namespace graft
