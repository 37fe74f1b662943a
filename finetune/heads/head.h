#pragma once

#include <string>
#include <vector>

#include "runtime/core/graph.h"
#include "runtime/core/initialiser.h"

namespace graft {

/// What the new head is made of.
struct HeadKind {
  enum class Layers : uint8_t {
    linear,      // one dense layer; with a hinge loss a linear SVM
    mlp,         // a dense layer of `hidden` outputs, ReLU, a dense layer
    convolution  // a 1×1 convolution of the last maps and their average: the same scores as `linear`, with a map for
                 // each class
  };
  Layers layers = Layers::linear;
  int64_t hidden = 0;
  Initialiser initialiser{Initialiser::Kind::gaussian, 0.01f};  // of the layer that scores; biases begin at zero
  Initialiser hidden_initialiser{Initialiser::Kind::he_fan_in, 0};
};

struct HeadOptions {
  int64_t classes = 2;
  float dropout = 0;  // before the new layer
  uint64_t seed = 0;
  bool vanilla_dropout = false;  // scales in use instead of in training
  bool auxiliary = false;        // further outputs of output 0's shape get new heads too; all others are dropped
  HeadKind kind{};
};

struct GraftedHead {
  std::string replaced;  // name of the node the head took the place of; empty: the model ended in features
  std::vector<std::string> parameters;  // names of the new constants
  int64_t features = 0;                 // inputs of the new layer
};

/// Finds the classifier, walking back from output 0 over softmax, reshapes, dropout, pooling and activations to the
/// last dense layer or 1×1 convolution before any spatial one; replaces it by a new one of `classes` outputs, and drops
/// a softmax behind it, so that the graph ends in logits. Where the model ends in features, the head is added (after
/// global average pooling when they are maps). Throws Error when output 0 is neither, or a head of maps finds none.
GraftedHead graft_head(Graph& graph, const HeadOptions& options);

/// Ends the graph in the features (N×D) that its classifier reads, or that it ends in already.
void cut_head(Graph& graph);

}  // namespace graft
