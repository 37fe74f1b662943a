#pragma once

#include <string>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// How a network ends: in classifiers whose scores become its output, or in features.
struct Ending {
  struct Classifier {
    std::string name;  // of the dense layer or 1×1 convolution, or of the first of its nodes
    ValueId features;  // what it reads
  };
  std::vector<Classifier> classifiers;  // several where their scores are averaged; none: features
  /// Nodes between a classifier of all tokens and the output that pick one token or average them, in order.
  std::vector<size_t> selections;
};

/// Walks back from an output over what makes probabilities of scores, or the same scores in another form (softmax,
/// spelled out or not, sigmoid, what clips or takes logarithms of those, reshapes, casts, scales, quantisation, a
/// choice of classes), over pooling and activations, to the last dense layer or 1×1 convolution before any spatial one;
/// where outputs of several are added, or side by side, to each. A classifier of normalised features (cosines) reads
/// what they were before, and so does one behind a projection that is normalised, as that of CLIP is [Radford et al.
/// 2021, §3.2: probes read the features before the projection].
Ending find_ending(const Graph& graph, ValueId output);

/// Whether an output is probabilities already: of a softmax, spelled out or not, a sigmoid, what divides scores by
/// their sum, or the exponential of a log-softmax, under another shape, clipped, or some of them.
bool is_probabilities(const Graph& graph, ValueId output);

}  // namespace graft
