#pragma once

#include <optional>

#include "runtime/core/backend.h"
#include "runtime/core/graph.h"
#include "runtime/passes/passes.h"

namespace graft {

/// A network cut where its classifier begins.
struct HeadSplit {
  Graph trunk;  // pictures → features: one row a picture
  Graph head;   // features → the network's first output
};

/// Nothing where the first output is no classifier's, or where the classifier reads more than one value. The trunk is
/// the one that fine-tuning freezes, so that both have the same keys (output_keys).
std::optional<HeadSplit> split_head(const Graph& graph, const OpenDims& dims, const Backend& backend);

}  // namespace graft
