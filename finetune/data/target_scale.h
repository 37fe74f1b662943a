#pragma once

#include <string>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// Measured values as a network learns them best: each output less its mean, divided by its deviation over the training
/// set. The head is scaled back afterwards, so that the finished model speaks in the user's units.
struct TargetScale {
  std::vector<double> mean, deviation;

  /// Throws Error when an output never changes, or there is nothing to measure.
  static TargetScale measure(const std::vector<std::vector<float>>& targets, const std::vector<std::string>& names);
  std::vector<float> scaled(const std::vector<float>& target) const;
  /// Turns the head's outputs back: w ← s·w, b ← s·b + mean. `head`: the names of its weight and bias (outputs ×
  /// features, outputs).
  void undo(Graph& graph, const std::vector<std::string>& head) const;
};

}  // namespace graft
