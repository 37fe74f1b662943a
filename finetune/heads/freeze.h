#pragma once

#include <string>
#include <vector>

#include "graft/choice.h"
#include "runtime/core/graph.h"

namespace graft {

struct FreezeOptions {
  /// all | none | until:NODE | last:N | match:REGEX. `all` leaves the head; `until:NODE`
  /// freezes NODE and all that it depends on; `last:N` trains the last N layers with weights below the head, where
  /// a transformer's block counts as one (transformer_blocks.h);
  /// `match:REGEX` freezes the layers whose name matches.
  std::string policy = "all";
  /// automatic: batch norms are trained only when nothing is frozen; otherwise they keep their statistics.
  BatchNormPolicy batch_norm = BatchNormPolicy::automatic;
};

struct FreezeResult {
  int64_t trainable_parameters = 0, frozen_parameters = 0;
  int64_t quantised_parameters = 0;  // of the frozen ones: weights stored as whole numbers, which no gradient changes
};

/// Layers with weights below the head, as `last:N` counts them.
int64_t layers_below_head(const Graph& graph, const std::vector<std::string>& head);

/// Marks the constants that training may change. `head` names constants that always are. Throws Error for an unknown
/// policy, a node that is not there, or a pattern that is no regular expression.
FreezeResult apply_freeze(Graph& graph, const FreezeOptions& options, const std::vector<std::string>& head);

}  // namespace graft
