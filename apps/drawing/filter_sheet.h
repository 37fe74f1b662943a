#pragma once

#include "augment/pixels/image.h"
#include "runtime/core/graph.h"

namespace graft::app {

/// The filters of the first convolution on 1 or 3 channels, side by side in rows, each stretched to its own range and
/// enlarged. `scale`: pixels a tap. Throws Error where the model has no such convolution.
Image filter_sheet(const Graph& graph, int64_t scale);

}  // namespace graft::app
