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
class BodyReader {
 public:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
  virtual ~BodyReader() = default;

  virtual Graph& graph() = 0;
  /// The content of a value that does not depend on the data, or null. Open extents are one picture's of a usual size.
  virtual std::shared_ptr<const Tensor> known(ValueId id) = 0;
  /// Whether a value is made from an input of the graph, were it from its extents alone, or from an input of a body
  /// that is being read.
  virtual bool follows_input(ValueId id) = 0;
  /// False where the value's content is known now for good: it follows from no input, or from extents alone that are
  /// fixed, or from such and the batch without differing.
  virtual bool is_open(ValueId id) = 0;
  /// The names that a node, or a branch or body inside it, may read.
  virtual std::set<std::string> names_read_by(const onnx::NodeProto& node) const = 0;
  /// Reads a subgraph's initialisers; they join `scope`.
  virtual void read_initialisers(const onnx::GraphProto& body, NameScope& scope) = 0;
  /// Reads nodes of a subgraph; what they make joins `scope`.
  virtual void read_subgraph(const Nodes& nodes, NameScope& scope) = 0;
  /// Reads the nodes of a body that is kept, without adding them to the graph; returns them. `inputs`: the body's,
  /// which each iteration gets anew.
  virtual std::vector<Node> read_body(const Nodes& nodes, const std::vector<ValueId>& inputs, NameScope& scope) = 0;
  /// A value for read_body's `inputs`: of no content, and no input of the graph.
  virtual ValueId add_body_input(const std::string& name, DType dtype, Shape shape) = 0;
};

/// Reads an ONNX Loop; the node's outputs join `scope`. Where its trip count and its condition are known, the body
/// joins the graph as often as it runs, the results of one iteration being the inputs of the next; where they follow
/// from extents that are open it becomes one node (runtime/ops/loop.h). Throws Error where the loop is endless, makes
/// more than 100,000 nodes, or depends on the data.
void read_loop(const onnx::NodeProto& loop, NameScope& scope, BodyReader& reader);

}  // namespace graft
