#pragma once

#include <functional>
#include <map>
#include <string>
#include <typeindex>
#include <vector>

#include "importer/name_scope.h"
#include "importer/weights.h"
#include "onnx.pb.h"
#include "runtime/core/error.h"
#include "runtime/core/graph.h"
#include "runtime/ops/window.h"

namespace graft {

/// One ONNX node as a mapping reads it. Attributes are checked for their type; asking for one that is absent gives the
/// default.
class NodeReader {
 public:
  /// All outlive the reader. Names that the node makes are added to `scope`.
  NodeReader(const onnx::NodeProto& node, const Weights& weights, Graph& graph, NameScope& scope)
      : node_(node), weights_(weights), graph_(graph), scope_(scope) {}

  std::string_view type() const { return node_.op_type(); }
  int64_t opset() const { return scope_.opset(); }
  Graph& graph() { return graph_; }
  const Weights& weights() const { return weights_; }
  NameScope& scope() { return scope_; }

  bool has(const char* name) const { return find(name) != nullptr; }
  int64_t integer(const char* name, int64_t otherwise) const;
  float real(const char* name, float otherwise) const;
  std::string text(const char* name, const std::string& otherwise) const;
  std::vector<int64_t> integers(const char* name) const;
  std::vector<float> reals(const char* name) const;
  const onnx::TensorProto* tensor(const char* name) const;
  /// As the file has it; null where it is absent.
  const onnx::AttributeProto* attribute(const char* name) const { return find(name); }

  const std::string& input_name(size_t i) const { return node_.input(static_cast<int>(i)); }
  const std::string& output_name(size_t i) const { return node_.output(static_cast<int>(i)); }
  size_t input_count() const { return static_cast<size_t>(node_.input_size()); }
  bool has_input(size_t i) const { return i < input_count() && !node_.input(static_cast<int>(i)).empty(); }
  /// kNoValue where the optional input is absent; Error where a required one is.
  ValueId input(size_t i) const;
  /// All inputs, absent ones as kNoValue.
  std::vector<ValueId> inputs() const;
  /// Content of an input known at import, or null.
  const Tensor* constant(size_t i) const;
  /// The shape an input declares, as far as it is known now; empty of an absent one.
  /// A copy: what a node emits may move the graph's values.
  Shape shape(size_t i) const {
    const ValueId id = input(i);
    return id == kNoValue ? Shape{} : graph_.value(id).shape;
  }
  /// The shape of input i as it is declared, or as it follows where nodes make it of constants (standardised and
  /// quantised weights); empty where it depends on the data.
  Shape known_shape(size_t i) const;
  /// True where something reads this output.
  bool output_is_read(size_t i) const {
    return i < output_count() && scope_.read_names.contains(node_.output(static_cast<int>(i)));
  }
  size_t output_count() const { return static_cast<size_t>(node_.output_size()); }

  /// Appends the operator as this node. Outputs past `outputs` may only be named when nobody is expected to read them.
  void emit(OperatorPtr op, std::vector<ValueId> inputs, size_t outputs = 1);
  /// Appends an operator that makes one output of this node.
  void emit_output(size_t output, OperatorPtr op, std::vector<ValueId> inputs);
  /// Appends a helper node; returns its output.
  ValueId emit_helper(const std::string& suffix, OperatorPtr op, std::vector<ValueId> inputs);
  /// Appends an operator that makes output 0 of this node and, under these suffixes, further values; returns those.
  std::vector<ValueId> emit_with_helpers(OperatorPtr op, std::vector<ValueId> inputs,
                                         const std::vector<std::string>& suffixes);
  /// Makes the first output of this node another name of a value.
  void emit_alias(ValueId value);
  /// Makes an output of this node a constant.
  void emit_constant(Tensor tensor);
  std::string name() const {
    return node_.name().empty() ? (node_.output_size() > 0 ? node_.output(0) : std::string(node_.op_type()))
                                : node_.name();
  }

  /// kernel_shape, strides, dilations, pads and auto_pad of convolutions and pools over two dimensions, or those of
  /// dimensions `height` and `width` (past the last: of extent 1) of windows over more.
  Window2d window(Extent2d kernel, size_t dimensions = 2, size_t height = 0, size_t width = 1) const;

 private:
  const onnx::AttributeProto* find(const char* name, int type = 0) const;
  const onnx::NodeProto& node_;
  const Weights& weights_;
  Graph& graph_;
  NameScope& scope_;
};

/// One node on its way into a file.
class NodeWriter {
 public:
  NodeWriter(const Graph& graph, const Node& node, onnx::GraphProto& proto)
      : graph_(graph), node_(node), proto_(proto) {}
  const Node& node() const { return node_; }
  const Graph& graph() const { return graph_; }
  const Shape& input_shape(size_t i) const { return graph_.value(node_.inputs[i]).shape; }
  std::string name_of(ValueId id) const { return id == kNoValue ? std::string() : graph_.value(id).name; }

  /// Appends the ONNX node with the operator's type (or another), all inputs or the first `inputs` of them.
  onnx::NodeProto& begin(const std::string& type = "", size_t inputs = SIZE_MAX);
  void set(const char* name, int64_t value);
  void set(const char* name, float value);
  void set(const char* name, const char* value);
  void set(const char* name, const std::vector<int64_t>& values);
  /// Adds a constant as the next input.
  void add_input(const std::string& suffix, const Tensor& tensor);
  void add_input(const std::string& suffix, const std::vector<int64_t>& values);
  void add_absent_input() { current_->add_input(""); }
  /// For operators that the written opset lacks: appends a node of others; returns the name of its result, which is
  /// `output` where given and made from the node's name and `suffix` otherwise.
  std::string helper(const char* type, const std::vector<std::string>& inputs, const std::string& suffix,
                     const std::string& output = "");
  /// Adds a constant; returns its name.
  std::string constant(const std::string& suffix, const Tensor& tensor);
  void set_window(const Window2d& window, bool kernel);

 private:
  onnx::AttributeProto& attribute(const char* name, onnx::AttributeProto::AttributeType type);
  const Graph& graph_;
  const Node& node_;
  onnx::GraphProto& proto_;
  onnx::NodeProto* current_ = nullptr;
};

/// An operator's name in OpTable: its type, behind its domain and a dot where that is not ONNX's own.
std::string operator_name(const onnx::NodeProto& node);

/// The mapping of operators in both directions, by operator_name and by operator class.
class OpTable {
 public:
  using Read = void (*)(NodeReader&);
  void read(const std::string& type, Read function) { readers_[type] = function; }
  template <typename Op>
  void write(void (*function)(const Op&, NodeWriter&)) {
    writers_[typeid(Op)] = [function](const Operator& op, NodeWriter& writer) {
      function(static_cast<const Op&>(op), writer);
    };
  }
  /// Both directions of an operator without attributes.
  template <typename Op>
  void plain(const std::string& type) {
    read(type, [](NodeReader& node) { node.emit(std::make_shared<Op>(), node.inputs()); });
    write<Op>([](const Op&, NodeWriter& node) { node.begin(); });
  }
  Read reader(const std::string& type) const {
    const auto it = readers_.find(type);
    return it == readers_.end() ? nullptr : it->second;
  }
  const std::function<void(const Operator&, NodeWriter&)>* writer(const Operator& op) const {
    const auto it = writers_.find(typeid(op));
    return it == writers_.end() ? nullptr : &it->second;
  }
  const std::map<std::string, Read>& readers() const { return readers_; }

 private:
  std::map<std::string, Read> readers_;
  std::map<std::type_index, std::function<void(const Operator&, NodeWriter&)>> writers_;
};

/// All mappings; made once.
const OpTable& op_table();

/// A TensorProto's content, checked against its own length and converted: half and double to float32, other integers to
/// int64.
Tensor read_tensor(const onnx::TensorProto& proto, const Weights& weights);
void write_tensor(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto);

}  // namespace graft
