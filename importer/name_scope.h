#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// What a name stands for whose value ONNX calls a sequence of tensors: the tensors, or the equal parts of one whose
/// extent, and so their number, is not known yet.
struct TensorSequence {
  std::vector<ValueId> tensors;
  struct Parts {
    ValueId whole;
    int64_t axis, extent;
    bool keep_dims;  // otherwise parts of extent 1 lose the dimension
  };
  std::optional<Parts> parts;
};

/// The names of one graph, one branch or one function's body, and the values they stand for. A branch also sees the
/// names around it; a function's body sees only what the call gives it. [ONNX IR specification, "Names within a graph"]
class NameScope {
 public:
  /// `outer`: what a branch sees beside its own names; null for a graph or a function's body. Outlives this scope.
  explicit NameScope(int64_t opset, const NameScope* outer = nullptr) : opset_(opset), outer_(outer) {}

  /// The version of ONNX's own operators in which nodes of this scope are written.
  int64_t opset() const { return opset_; }

  /// kNoValue where neither this scope nor one around it has the name.
  ValueId find(const std::string& name) const {
    const auto it = values_.find(name);
    if (it != values_.end()) return it->second;
    return outer_ ? outer_->find(name) : kNoValue;
  }
  /// Null where no sequence has the name.
  const TensorSequence* find_sequence(const std::string& name) const {
    const auto it = sequences_.find(name);
    if (it != sequences_.end()) return &it->second;
    return outer_ ? outer_->find_sequence(name) : nullptr;
  }
  /// Whether this scope itself has the name.
  bool defines(const std::string& name) const { return values_.contains(name) || sequences_.contains(name); }
  /// Throws Error where this scope has the name already.
  void define(const std::string& name, ValueId value);
  void define_sequence(const std::string& name, TensorSequence sequence);

  /// Names that nodes of this scope, of branches in it, or its outputs read.
  std::set<std::string> read_names;

 private:
  int64_t opset_;
  const NameScope* outer_;
  std::map<std::string, ValueId> values_;
  std::map<std::string, TensorSequence> sequences_;
};

}  // namespace graft
