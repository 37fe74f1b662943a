#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// Networks that were exported with their batch norms folded into the convolutions train badly, as those that never had
/// any do: the scales of their layers are what they happen to be, and nothing holds them in place. While they train,
/// norms stand behind their convolutions, of the mean and variance that activations have, so that the network stays the
/// same function until it is trained. [Ioffe & Szegedy 2015]

/// Mean and variance of each channel over pictures and pixels.
struct ChannelStatistics {
  std::vector<float> mean, variance;
};
/// By the name of a convolution's output.
using NormStatistics = std::map<std::string, ChannelStatistics>;

/// Whether a network has norms of its own, also layer norms that are spelled out: nothing is to be added there.
bool has_norms(const Graph& graph);

/// From a network's input to the means of its convolutions' outputs and of their squares, N×C×1×1, two for each that no
/// batch norm reads and that has more than one pixel; `names`: of these outputs, in their order.
Graph statistics_graph(const Graph& graph, std::vector<std::string>& names);

/// Puts a batch norm, to be trained, behind each convolution whose weights are to be trained and whose statistics are
/// known. Returns how many.
int insert_norms(Graph& graph, const NormStatistics& statistics);

/// Folds the norms that insert_norms put in into their convolutions, whose weights are changed in place and count as
/// frozen then; nodes and values are named as before.
void fold_inserted_norms(Graph& graph);

}  // namespace graft
