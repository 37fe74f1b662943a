#pragma once

#include <string>
#include <vector>

#include "importer/op_table.h"

namespace graft {

/// Reads a node of another domain, or of a form that graft has no operator for, as the nodes of ONNX's own operators
/// that it stands for. Values go by the names that the node's scope knows them by.
class Spelling {
 public:
  using Names = std::vector<std::string>;
  using Attributes = std::vector<onnx::AttributeProto>;

  /// `node` outlives it.
  explicit Spelling(NodeReader& node) : node_(node) {}

  /// Name of an input; empty where the node leaves it out.
  std::string input(size_t i) const { return node_.has_input(i) ? node_.input_name(i) : std::string(); }
  std::string constant(const std::string& suffix, Tensor tensor);
  std::string number(const std::string& suffix, float value) {
    return constant(suffix, Tensor::of<float>({}, {value}));
  }
  std::string integers(const std::string& suffix, const std::vector<int64_t>& values) {
    return constant(suffix, Tensor::copy_of<int64_t>({static_cast<int64_t>(values.size())}, values));
  }
  /// Reads a node; returns the name of its first output, made from this node's name and `suffix`.
  std::string add(const char* type, const std::string& suffix, const Names& inputs, const Attributes& attributes = {});
  /// Reads a node that makes output `output` of the one that is spelt.
  void give(const char* type, const Names& inputs, const Attributes& attributes = {}, size_t output = 0);
  /// This node's own attributes of these names, where it has them.
  Attributes own(std::initializer_list<const char*> names) const;
  /// The attributes of a window over one dimension (kernel_shape, strides, pads …), for one over two whose first is 1.
  Attributes wide_window() const;

 private:
  std::string unused(const std::string& suffix) const;
  void read(const char* type, const std::string& name, const Names& inputs, const std::string& output,
            const Attributes& attributes);
  NodeReader& node_;
};

onnx::AttributeProto attribute(const char* name, int64_t value);
onnx::AttributeProto attribute(const char* name, float value);
onnx::AttributeProto attribute(const char* name, const char* value);
onnx::AttributeProto attribute(const char* name, const std::vector<int64_t>& values);

}  // namespace graft
