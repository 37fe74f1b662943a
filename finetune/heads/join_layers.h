#pragma once

#include <string>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// Maps of a typed graph whose averages a head may read beside its features: of those that a convolution reads and that
/// all of the network passes through, the last one, and the last one of a larger size. What the features themselves
/// average is none of them. `head`: names of a linear head's weight and bias. Empty where there are none, or where the
/// head reads no row of features.
std::vector<ValueId> layers_to_join(const Graph& graph, const std::vector<std::string>& head);

/// Lets a linear head read the averages of layers_to_join behind its own features; its weights for them begin at zero,
/// so that the network stays the same function. Returns how many numbers each part has that it reads then, the features
/// first; nothing where it reads no others.
std::vector<size_t> join_layers(Graph& graph, const std::vector<std::string>& head);

}  // namespace graft
