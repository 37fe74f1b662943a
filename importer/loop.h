#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "importer/name_scope.h"
#include "onnx.pb.h"
#include "runtime/core/graph.h"

namespace graft {

/// What reading a loop needs of the reader whose graph the body's nodes join.
class LoopReader {
 public:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
  virtual ~LoopReader() = default;

  virtual Graph& graph() = 0;
  /// The content of a value that depends neither on the data nor on what is open, or null.
  virtual std::shared_ptr<const Tensor> known(ValueId id) = 0;
  /// Whether a value is made from an input of the graph, were it from its extents alone, or from what an iteration
  /// gets.
  virtual bool follows_input(ValueId id) = 0;
  /// Whether extents that are still open may change what a value holds, or an iteration may.
  virtual bool is_open(ValueId id) = 0;
  /// The names that a node, or a branch or body inside it, may read.
  virtual std::set<std::string> names_read_by(const onnx::NodeProto& node) const = 0;
  /// Reads a subgraph's initialisers; they join `scope`.
  virtual void read_initialisers(const onnx::GraphProto& body, NameScope& scope) = 0;
  /// Reads nodes of a subgraph; what they make joins `scope`.
  virtual void read_subgraph(const Nodes& nodes, NameScope& scope) = 0;
  /// Reads nodes of a body that is kept, without adding them to the graph; returns them. `given`: what each iteration
  /// gets anew.
  virtual std::vector<Node> read_apart(const Nodes& nodes, const std::vector<ValueId>& given, NameScope& scope) = 0;
  /// A value without content that belongs to no graph's inputs, for read_apart.
  virtual ValueId add_given(const std::string& name, DType dtype, Shape shape) = 0;
};

/// Reads an ONNX Loop; the node's outputs join `scope`. Where its trip count and its condition are known, the body
/// joins the graph as often as it runs, the results of one iteration being the inputs of the next; where they follow
/// from extents that are open it becomes one node (runtime/ops/loop.h). Throws Error where the loop is endless, makes
/// more than 100,000 nodes, or depends on the data.
void read_loop(const onnx::NodeProto& loop, NameScope& scope, LoopReader& reader);

}  // namespace graft
