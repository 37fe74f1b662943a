#pragma once

#include <iosfwd>
#include <string>

#include "runtime/core/graph.h"

namespace graft {

/// A graph's operators, names, shapes and the first numbers of its constants: networks that differ in their weights
/// alone differ in those, too.
void append_network(const Graph& graph, std::ostream& text);

/// A text's hash in hexadecimal digits (FNV-1a, 64 bits).
std::string hash_of(const std::string& text);

}  // namespace graft
