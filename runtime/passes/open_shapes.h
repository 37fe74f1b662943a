#pragma once

#include <optional>
#include <vector>

#include "runtime/core/backend.h"
#include "runtime/core/graph.h"

namespace graft {

/// Index of a picture's height among an input's dimensions; its width is the next one. 1 for N×H×W×C (bytes of colours,
/// or a fixed number of channels behind an open size), else 2.
size_t first_image_dimension(const Value& input);

/// Which extents of a graph's values follow the open ones of its inputs, found by typing it at several sizes.
class OpenShapes {
 public:
  /// A picture of `height` × `width` must fit the graph. Throws Error where it does not.
  OpenShapes(const Graph& graph, int64_t height, int64_t width, const Backend& backend);

  /// The graph for one picture of that size. Ids of values are those of the open graph.
  const Graph& typed() const { return typed_; }
  /// A value's shape with kOpenDim for each extent that another batch or size changes; empty where its rank changes. A
  /// network that takes no other batch or no other size has nothing open there.
  std::optional<Shape> of(ValueId id) const;
  /// Whether another size of the picture changes an extent (or is refused).
  bool follows_picture(ValueId id) const;

 private:
  Graph typed_;
  std::vector<Graph> others_;  // two pictures, and one of twice the size, where the graph takes them
  bool takes_another_size_ = false;
};

}  // namespace graft
