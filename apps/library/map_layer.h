#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// A value of one picture that has a place for each part of it.
struct MapLayer {
  enum class Form : uint8_t {
    planes,         // 1×C×H×W
    channels_last,  // 1×H×W×C
    tokens          // 1×T×C, perhaps with class tokens in front
  };
  ValueId value = kNoValue;
  Form form = Form::planes;
  int64_t height = 0, width = 0, channels = 0;
  int64_t first_token = 0;  // the first that has a place
};

/// The named node's or value's map, or the last one of the network. `graph` has the shapes of one picture. Throws Error
/// (not_found, unsupported).
MapLayer find_map_layer(const Graph& graph, const std::string& name);

/// The results of the network's attentions, 1×heads×T×T, in order, where all of them attend to all tokens of a square
/// of places; empty where any does otherwise, or there is none.
std::vector<ValueId> attentions(const Graph& graph);

/// How many tokens stand in front of a square of places; below 0: so many tokens are none.
int64_t tokens_before_square(int64_t tokens);

}  // namespace graft
