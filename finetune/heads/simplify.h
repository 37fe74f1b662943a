#pragma once

#include "runtime/core/graph.h"

namespace graft {

struct SimplifyResult {
  int lrn = 0, dropout = 0;  // nodes taken out
};

/// Takes local response normalisation and dropout out of a network, which batch norm makes superfluous. [Ioffe &
/// Szegedy 2015, §4.2.1]
SimplifyResult remove_lrn_and_dropout(Graph& graph);

}  // namespace graft
