#pragma once

#include <string>
#include <vector>

#include "importer/model.h"

namespace graft::app {

/// The graph as Graphviz reads it: a box for each node with its operator, name and result, an arrow for each value.
std::string graphviz(const OnnxModel& model);

/// What differs between two models, one line each: inputs and outputs, nodes by name with their operators, attributes
/// and results, weights by name with their largest difference, labels. Empty where nothing does.
std::vector<std::string> differences(const OnnxModel& a, const OnnxModel& b);

}  // namespace graft::app
