#pragma once

#include <vector>

#include "runtime/core/dimensions.h"
#include "runtime/cuda/indexing.h"

namespace graft::cuda {

/// Rows and what lies along each, in N operands of one shape.
template <int N>
struct RowsOf {
  Indexer<N> rows, columns;
  /// `inner`: for each dimension, whether it belongs to the row.
  RowsOf(const Shape& shape, const std::array<Strides, N>& strides, const std::vector<bool>& inner) {
    Shape shapes[2];
    std::array<Strides, N> parts[2];
    for (size_t d = 0; d < shape.size(); ++d) {
      shapes[inner[d]].push_back(shape[d]);
      for (size_t n = 0; n < N; ++n) parts[inner[d]][n].push_back(strides[n][d]);
    }
    rows = Indexer<N>(shapes[0], parts[0]);
    columns = Indexer<N>(shapes[1], parts[1]);
  }
  bool fit() const { return rows.fits() && columns.fits(); }
};

}  // namespace graft::cuda
