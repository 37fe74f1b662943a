#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/core/tensor.h"

namespace graft {

/// Copies a tensor between two arrangements of strides. The order of the loops is fixed when it is made; run()
/// allocates nothing.
class StridedCopy {
 public:
  StridedCopy() = default;
  StridedCopy(size_t element_bytes, const Shape& shape, const Strides& from, const Strides& to);
  void run(const void* from, void* to) const { run_rows(from, to, 0, rows()); }

  /// The outermost dimension's extent; rows of it can be copied by different threads.
  int64_t rows() const { return empty_ ? 0 : dims_[0].extent; }
  /// Elements in one of those rows.
  int64_t row_elements() const;
  /// Rows first … last-1 alone.
  void run_rows(const void* from, void* to, int64_t first, int64_t last) const;

 private:
  static constexpr size_t kMaxRank = 8;
  struct Dim {
    int64_t extent = 1, from = 0, to = 0;  // strides in bytes
  };
  void walk(size_t dim, int64_t extent, const std::byte* from, std::byte* to) const;
  std::array<Dim, kMaxRank> dims_{};
  size_t rank_ = 1;
  size_t element_bytes_ = 4;
  bool empty_ = false;
};

/// True when the elements lie in row-major order without gaps (extents of 1 do not matter).
bool is_row_major(const Shape& shape, const Strides& strides);

}  // namespace graft
