#pragma once

#include <vector>

#include "importer/functions.h"
#include "importer/name_scope.h"
#include "importer/weights.h"
#include "runtime/core/graph.h"

namespace graft {

/// Reads an ONNX graph into graft's: branches with a constant condition are taken, local functions are inlined, each
/// body's names staying its own. Nodes may stand in any order.
class GraphReader {
 public:
  /// All outlive the reader.
  GraphReader(const onnx::ModelProto& model, const LocalFunctions& functions, const Weights& weights)
      : model_(model), functions_(functions), weights_(weights) {}

  /// Throws Error with the node or value it is about.
  Graph read();
  /// After read(): the first extent that the file fixes for its inputs; 0 where it is open.
  int64_t declared_batch() const { return fixed_batch_; }
  /// After read(): a side at which a picture of open size fits the network: the first of the usual ones that does.
  int64_t usual_side() const { return side_; }

 private:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

  void read_inputs(NameScope& scope);
  void read_initialisers(const onnx::GraphProto& graph, NameScope& scope);
  /// Reads nodes, each after those that make what it reads. Throws Error where some form a cycle.
  void read_nodes(const Nodes& nodes, NameScope& scope);
  void read_node(const onnx::NodeProto& node, NameScope& scope);
  void read_call(const onnx::NodeProto& call, const onnx::FunctionProto& function, NameScope& scope);
  void read_if(const onnx::NodeProto& node, NameScope& scope);
  /// The content of a value that does not depend on the data, or null.
  std::shared_ptr<const Tensor> known(ValueId id);
  void add_read_names(const Nodes& nodes, NameScope& scope) const;
  void count_bytes(const Tensor& tensor);
  Graph typed();
  void free_batch();
  void open_reshapes(const Graph& typed);

  const onnx::ModelProto& model_;
  const LocalFunctions& functions_;
  const Weights& weights_;
  int64_t fixed_batch_ = 0, side_ = 224;
  size_t constant_bytes_ = 0;
  Graph graph_;
  std::map<ValueId, std::shared_ptr<const Tensor>> known_;
  std::vector<int> producer_;  // per value, of the nodes counted in below
  size_t producers_counted_ = 0;
};

}  // namespace graft
