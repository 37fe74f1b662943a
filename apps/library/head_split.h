#pragma once

#include <optional>

#include "runtime/core/backend.h"
#include "runtime/core/graph.h"
#include "runtime/passes/passes.h"

namespace graft {

/// A network cut in two.
struct HeadSplit {
  Graph trunk;  // pictures → features: one row a picture
  Graph head;   // features → the network's outputs
};

/// Cut where the first trained value enters, as fine-tuning cuts it. Nothing where none is, or where more than one
/// value crosses.
std::optional<HeadSplit> split_trained(const Graph& graph, const OpenDims& dims, const Backend& backend);

/// Cut where its classifier begins; the head ends in the first output. Nothing where the first output is no
/// classifier's, or where the classifier reads more than one value. The trunk is the one that fine-tuning freezes, so
/// that both have the same keys (output_keys).
std::optional<HeadSplit> split_head(const Graph& graph, const OpenDims& dims, const Backend& backend);

}  // namespace graft
