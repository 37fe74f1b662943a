#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "importer/functions.h"
#include "importer/loop.h"
#include "importer/model.h"
#include "importer/name_scope.h"
#include "importer/reader.h"
#include "importer/weights.h"
#include "runtime/core/error.h"
#include "runtime/core/graph.h"
#include "runtime/passes/passes.h"

namespace graft {

/// Reads an ONNX graph into graft's: branches with a constant condition are taken, those whose condition depends on
/// open extents are both read (If), loops are unrolled or, where open extents decide how often they run, kept (Loop),
/// local functions are inlined, each body's names staying its own. Nodes may stand in any order.
class GraphReader : BodyReader {
 public:
  /// All outlive the reader. `hint`: the size that is tried first where the file leaves the picture's open; `given`: as
  /// read_model has it.
  GraphReader(const onnx::ModelProto& model, const LocalFunctions& functions, const Weights& weights,
              std::optional<PictureSize> hint, const GivenExtents& given)
      : model_(model), functions_(functions), weights_(weights), given_(given), size_(hint.value_or(PictureSize())) {}

  /// Throws Error with the node or value it is about.
  Graph read();
  /// After read(): the first extent that the file fixes for its inputs; 0 where it is open.
  int64_t declared_batch() const { return fixed_batch_; }
  /// After read(): whether it could be made open.
  bool batch_opened() const { return batch_opened_; }
  /// After read(): a size at which a picture of open size fits the network: the hint, or the first of the usual ones
  /// that does.
  PictureSize usual_size() const { return size_; }

 private:
  static constexpr int64_t kLargestInputExtent = 1 << 14;
  static constexpr size_t kMostNodesTyped = 400000,
                          kMostNodesTypedInAll = 1200000;  // while one size is sought, and all

  void read_inputs(NameScope& scope);
  void read_initialisers(const onnx::GraphProto& graph, NameScope& scope) override;
  /// Reads nodes, each after those that make what it reads. Throws Error where some form a cycle.
  void read_nodes(const Nodes& nodes, NameScope& scope);
  void read_node(const onnx::NodeProto& node, NameScope& scope);
  std::set<std::string> names_read_by(const onnx::NodeProto& node) const override;
  void read_subgraph(const Nodes& nodes, NameScope& scope) override;
  std::vector<Node> read_body(const Nodes& nodes, const std::vector<ValueId>& inputs, NameScope& scope) override;
  ValueId add_body_input(const std::string& name, DType dtype, Shape shape) override;
  Graph& graph() override { return graph_; }
  void read_call(const onnx::NodeProto& call, const onnx::FunctionProto& function, NameScope& scope);
  void read_if(const onnx::NodeProto& node, NameScope& scope);
  /// Reads a branch of an If; returns its results.
  std::vector<ValueId> read_branch(const onnx::NodeProto& node, bool holds, NameScope& scope);

  // graph_typing.cpp: before sizes are known.

  /// The content of a value that does not depend on the data, or null. Open extents are one picture's of a usual size.
  std::shared_ptr<const Tensor> known(ValueId id) override;
  bool is_open(ValueId id) override;
  /// True where all that the value follows from is fixed but for the batch, and all usual batches give it one content.
  bool is_same_for_all_batches(ValueId id);
  void count_producers();
  bool follows_input(ValueId id) override;
  /// The nodes that make a value, and their values under its own ids.
  struct Cone {
    Graph graph;
    std::map<ValueId, ValueId> ids;  // from ids of the whole graph
  };
  Cone cone_of(ValueId id, bool use_known);
  /// What given_ says, for one picture; nothing where it says nothing or what no picture has.
  std::optional<OpenDims> given_extents() const;
  /// The graph with closed shapes, for the first size of a picture that fits it, which becomes usual_size(). After
  /// `most_sizes` that do not, or `most_nodes` typed in vain, throws the Error of the size that is likeliest.
  Graph closed_for_a_picture(const Graph& graph, size_t most_sizes = SIZE_MAX, size_t most_nodes = kMostNodesTyped);
  /// The graph with closed shapes; nothing where it does not take them (the first reason is left in `why`).
  std::optional<Graph> typed_at(const Graph& graph, const OpenDims& dims, std::optional<Error>* why = nullptr);
  /// Throws Error where more nodes were typed than any real file needs.
  void count_typed(size_t nodes);
  /// Takes over the types of what has none yet.
  void take_types(const Graph& typed);
  void type_other_branches();
  void add_read_names(const Nodes& nodes, NameScope& scope) const;
  void count_bytes(const Tensor& tensor);
  void choose_channels();
  void free_batch();

  const onnx::ModelProto& model_;
  const LocalFunctions& functions_;
  const Weights& weights_;
  const GivenExtents& given_;
  PictureSize size_;
  int64_t fixed_batch_ = 0;
  bool batch_opened_ = false;
  size_t constant_bytes_ = 0, nodes_typed_ = 0;
  int64_t nodes_read_ = 0;
  Graph graph_;
  std::map<ValueId, std::shared_ptr<const Tensor>> known_;
  std::vector<int> producer_;        // per value, of the nodes counted in below
  std::vector<bool> follows_input_;  // per value
  size_t producers_counted_ = 0;
  std::map<ValueId, bool> is_open_;
  int kept_bodies_ = 0;  // that are being read, one inside the other
};

}  // namespace graft
