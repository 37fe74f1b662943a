#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/core/component.h"
#include "runtime/core/graph.h"

namespace graft {

class HeadBuilder;

/// The layers of a new head.
class Head {
 public:
  virtual ~Head() = default;
  /// From N×D features to N×classes scores. Throws Error where the features are not such as it needs.
  virtual ValueId append(HeadBuilder& builder, ValueId features) const = 0;
};
using HeadPtr = std::unique_ptr<Head>;

/// By its name and what is set of it. Throws Error for an unknown one.
HeadPtr make_head(const Choice& head);
/// Every head, in alphabetical order.
const std::vector<ComponentInfo>& head_components();
/// "mlp:256". Throws Error, about "head".
Choice parse_head(const std::string& text);

/// The head that a model gets.
struct HeadRequest {
  int64_t classes = 2;
  uint64_t seed = 0;
  bool auxiliary = false;  // further outputs of output 0's shape get new heads too; all others are dropped
  Choice head{"linear"};
  std::string features{};  // name of the node or value that the head reads; empty: what the classifier reads
};

struct GraftedHead {
  std::vector<std::string> replaced;    // nodes that the head took the place of; none: the model ended in features
  std::vector<std::string> parameters;  // names of the new constants
  int64_t features = 0;                 // inputs of the new layer
  std::vector<std::string> other_features{};  // where the model ends in features: layers that a head could read instead
};

/// Finds the classifier (find_ending), or several whose scores are averaged; replaces them by a new head, on the
/// features of all side by side, and drops a softmax behind, so that the graph ends in logits. Where the model ends in
/// features, the head is added (after global average pooling when they are maps). Throws Error when output 0 is
/// neither, or a head of maps finds none.
GraftedHead graft_head(Graph& graph, const HeadRequest& request);

/// Ends the graph in the features (N×D) that its classifier reads, or that it ends in already.
void cut_head(Graph& graph);

}  // namespace graft
