#pragma once

#include <optional>

#include "importer/model.h"

namespace graft {

/// The graph for any number of pictures of one whose exporter fixed it to `batch`, which is torch.onnx.export's
/// default: where constants spell the batch out (targets of Reshape and Expand, ends of Slice, sizes of Resize) they
/// take it from the data, and constants that stand beside each picture of a batch (class tokens, masks of windows,
/// initial states) are repeated. `typed`: the graph with the types for `batch` pictures of `size`.
///
/// Whatever comes of that is run: two random pictures together must give what they give one by one. Nothing where the
/// batch cannot be followed, or where the numbers differ.
std::optional<Graph> open_batch(const Graph& graph, const Graph& typed, int64_t batch, const PictureSize& size);

}  // namespace graft
