#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "onnx.pb.h"

namespace graft {

/// A model's local functions, by domain and name.
class LocalFunctions {
 public:
  /// `model` outlives the result. Throws Error where a function calls itself, directly or by way of others, or where
  /// the graph would hold more than kMostNodes nodes once every call is replaced by its function's body.
  explicit LocalFunctions(const onnx::ModelProto& model);

  /// Null where the node is an operator.
  const onnx::FunctionProto* find(const onnx::NodeProto& node) const;

  /// Published networks have a few thousand nodes, exporters' functions counted in.
  static constexpr int64_t kMostNodes = 200'000;

 private:
  using Key = std::pair<std::string, std::string>;
  int64_t expanded(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes, int64_t nodes_before);
  int64_t expanded(const onnx::FunctionProto& function);
  std::map<Key, const onnx::FunctionProto*> functions_;
  struct Size {
    bool open = false;  // its body is being counted: a call from within is a recursion
    int64_t nodes = -1;
  };
  std::map<const onnx::FunctionProto*, Size> sizes_;
};

/// A node of a function's body, with the attributes that it takes from the call (`ref_attr_name`) in their place, those
/// of its branches included; an attribute that neither the call nor the function gives is left out.
onnx::NodeProto with_attributes_of_call(onnx::NodeProto node, const onnx::NodeProto& call,
                                        const onnx::FunctionProto& function);

/// The version of ONNX's own operators that a model or a function names; 0 where it names none.
template <typename Proto>
int64_t own_opset(const Proto& proto) {
  int64_t version = 0;
  for (const auto& opset : proto.opset_import())
    if (opset.domain().empty() || opset.domain() == "ai.onnx") version = opset.version();
  return version;
}

/// Whether a node's operator is one of ONNX's own.
inline bool is_own_operator(const onnx::NodeProto& node) { return node.domain().empty() || node.domain() == "ai.onnx"; }

}  // namespace graft
