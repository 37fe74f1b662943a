#pragma once

#include <functional>
#include <string>

#include "onnx.pb.h"
#include "runtime/core/graph.h"

namespace graft {

/// Writes a graph's nodes. Those that one branch of an If alone reads are written inside it, so that a runtime computes
/// them only when it takes the branch. Throws Error with the node's name for one that has no ONNX form.
void write_nodes(const Graph& graph, onnx::GraphProto& out);

/// Calls `read` with each name that a node reads, those inside branches too; a name may come up several times.
void for_each_read_name(const onnx::GraphProto& graph, const std::function<void(const std::string&)>& read);

}  // namespace graft
