#pragma once

#include <string>
#include <vector>

#include "runtime/graph.h"

namespace graft {

struct HeadOptions {
  int64_t classes = 2;
  float dropout = 0;      // before the new layer
  uint64_t seed = 0;
  bool vanilla_dropout = false;  // scales in use instead of in training
  bool auxiliary = false; // further outputs of output 0's shape get new heads too; all others are dropped
};

struct GraftedHead {
  std::string replaced;                // name of the node the head took the place of; empty: the model ended in features
  std::vector<std::string> parameters;  // names of the new constants
  int64_t features = 0;                // inputs of the new layer
};

/// Finds the classifier, walking back from output 0 over softmax, reshapes, dropout, pooling and activations to the last dense
/// layer or 1×1 convolution before any spatial one; replaces it by a new one of `classes` outputs with zero bias and
/// N(0, 0.01) weights, and drops a softmax behind it, so that the graph ends in logits. Where the model ends in features, a dense
/// layer is added (after global average pooling when they are maps). Throws Error when output 0 is neither.
GraftedHead graft_head(Graph& graph, const HeadOptions& options);

/// Ends the graph in the features (N×D) that its classifier reads, or that it ends in already.
void cut_head(Graph& graph);

}  // namespace graft
