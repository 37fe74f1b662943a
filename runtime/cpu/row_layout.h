#pragma once

#include <vector>

#include "runtime/core/dimensions.h"
#include "runtime/core/tensor.h"

namespace graft::cpu {

/// Rows of a tensor along any set of dimensions: where each begins, and where its elements lie within. Offsets in
/// elements, in logical order.
struct RowLayout {
  std::vector<int64_t> starts, elements;

  /// `inner`: for each dimension, whether it belongs to the row. An empty tensor has no rows, whatever its other
  /// extents.
  RowLayout(const Shape& shape, const Strides& strides, const std::vector<bool>& inner)
      : starts(offsets(shape, strides, inner, false)), elements(offsets(shape, strides, inner, true)) {}

  /// Whether each row's elements lie one behind the other.
  bool is_contiguous() const {
    for (size_t i = 0; i < elements.size(); ++i)
      if (elements[i] != static_cast<int64_t>(i)) return false;
    return true;
  }
  int64_t rows() const { return static_cast<int64_t>(starts.size()); }
  int64_t length() const { return static_cast<int64_t>(elements.size()); }

 private:
  static std::vector<int64_t> offsets(const Shape& shape, const Strides& strides, const std::vector<bool>& inner,
                                      bool wanted) {
    if (shape.elements() == 0) return {};
    std::vector<int64_t> list{0};
    for (size_t i = 0; i < inner.size(); ++i) {
      if (inner[i] != wanted) continue;
      std::vector<int64_t> next;
      next.reserve(list.size() * static_cast<size_t>(shape[i]));
      for (int64_t base : list)
        for (int64_t k = 0; k < shape[i]; ++k) next.push_back(base + k * strides[i]);
      list = std::move(next);
    }
    return list;
  }
};

}  // namespace graft::cpu
