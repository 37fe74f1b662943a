#include "runtime/passes/open_shapes.h"

#include "runtime/core/error.h"
#include "runtime/passes/passes.h"

namespace graft {

size_t first_image_dimension(const Value& input) {
  const Shape& shape = input.shape;
  if (shape.size() != 4) return 2;
  const bool bytes = input.dtype == DType::u8 && shape[3] == 3;
  return bytes || (shape[1] == kOpenDim && shape[2] == kOpenDim && shape[3] != kOpenDim) ? 1 : 2;
}

OpenShapes::OpenShapes(const Graph& graph, int64_t height, int64_t width, const Backend& backend)
    : typed_(specialise(graph, {1, height, width}, backend)) {
  const auto type_at = [&](const OpenDims& dims) {
    try {
      others_.push_back(specialise(graph, dims, backend));
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  type_at({2, height, width});
  takes_another_size_ = type_at({1, 2 * height, 2 * width});
}

std::optional<Shape> OpenShapes::of(ValueId id) const {
  const Shape& here = typed_.value(id).shape;
  Shape shape = here;
  for (const Graph& other : others_) {
    const Shape& there = other.value(id).shape;
    if (there.size() != here.size()) return std::nullopt;
    for (size_t i = 0; i < here.size(); ++i)
      if (there[i] != here[i]) shape[i] = kOpenDim;
  }
  return shape;
}

bool OpenShapes::follows_picture(ValueId id) const {
  return !takes_another_size_ || others_.back().value(id).shape != typed_.value(id).shape;
}

}  // namespace graft
