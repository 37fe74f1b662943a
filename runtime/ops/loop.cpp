#include "runtime/ops/loop.h"

#include <algorithm>

#include "runtime/core/error.h"

namespace graft {

std::vector<ValueType> Loop::infer(std::span<const ValueType>) const {
  throw Error("is not unrolled", "close its graph's shapes first", ErrorCode::internal);
}

bool has_loops(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [](const Node& node) { return dynamic_cast<const Loop*>(node.op.get()) != nullptr; });
}

}  // namespace graft
