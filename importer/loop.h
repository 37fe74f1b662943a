#pragma once

#include <functional>
#include <memory>

#include "importer/name_scope.h"
#include "onnx.pb.h"
#include "runtime/core/graph.h"

namespace graft {

/// What unrolling needs of the reader whose graph the body's nodes join.
struct SubgraphReader {
  Graph& graph;
  /// The content of a value that does not depend on the data, or null.
  std::function<std::shared_ptr<const Tensor>(ValueId)> known;
  /// Reads a subgraph's initialisers; they join `scope`.
  std::function<void(const onnx::GraphProto& body, NameScope& scope)> read_initialisers;
  /// Reads nodes of a subgraph; what they make joins `scope`.
  std::function<void(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes, NameScope& scope)> read_nodes;
};

/// Reads an ONNX Loop, whose trip count and condition must not depend on the data: its body as often as it runs, the
/// results of one iteration being the inputs of the next. The node's outputs join `scope`. Throws Error where the loop
/// is endless, makes more than 100,000 nodes, or depends on the data.
void unroll_loop(const onnx::NodeProto& loop, NameScope& scope, const SubgraphReader& reader);

}  // namespace graft
