#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// What came of filling a graph with weights of another program.
struct FilledWeights {
  size_t taken = 0;                       // tensors
  std::vector<std::string> missing;       // parameters of the graph that `weights` lacks; they keep what they had
  std::vector<std::string> unused;        // names in `weights` that the graph lacks
  std::vector<std::string> other_shapes;  // "NAME: 1000×512, not 10×512", of the head alone
};

/// Copies weights by name and shape (trailing ones aside: a dense layer and a convolution of 1×1 hold the same) into a
/// graph's constants; `name_of` says what `weights` call one. The last layer may have other classes: what does not fit
/// there stays as it is. Throws Error where a tensor before it has another shape, or where none fits.
FilledWeights fill_weights(Graph& graph, const std::map<std::string, Tensor>& weights,
                           const std::function<std::string(const std::string&)>& name_of);

}  // namespace graft
