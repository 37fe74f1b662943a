#pragma once

#include <array>
#include <vector>

#include "runtime/core/error.h"
#include "runtime/core/parallel.h"
#include "runtime/core/tensor.h"

namespace graft::cpu {

/// Elements below which another thread costs more than it saves, where an element takes a nanosecond or less.
inline constexpr int64_t kGrain = 1 << 14;

/// Walks up to kOperands tensors of one shape in step, rows innermost: dimensions are ordered by the first operand's
/// strides and merged where all operands allow it. Strides in elements; 0 broadcasts.
template <size_t kOperands>
class Walk {
 public:
  static constexpr size_t kMaxRank = 8;
  using Offsets = std::array<int64_t, kOperands>;

  Walk(const Shape& shape, const std::array<Strides, kOperands>& strides) {
    std::vector<Dim> dims;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 0) empty_ = true;
      if (shape[i] == 1) continue;
      Dim d{shape[i], {}};
      for (size_t k = 0; k < kOperands; ++k) d.strides[k] = strides[k][i];
      size_t at = 0;
      while (at < dims.size() && dims[at].strides[0] >= d.strides[0]) ++at;
      dims.insert(dims.begin() + static_cast<int64_t>(at), d);
    }
    for (const Dim& d : dims) {
      bool mergeable = rank_ > 0;
      for (size_t k = 0; k < kOperands && mergeable; ++k)
        mergeable = dims_[rank_ - 1].strides[k] == d.strides[k] * d.extent;
      if (mergeable) {
        dims_[rank_ - 1] = {dims_[rank_ - 1].extent * d.extent, d.strides};
        continue;
      }
      if (rank_ == kMaxRank) throw Error("tensors of more than 8 dimensions are not supported");
      dims_[rank_++] = d;
    }
    if (rank_ == 0) dims_[rank_++] = {1, {}};
  }

  /// Calls row(offsets, count, steps) for each innermost row.
  template <typename Row>
  void run(const Row& row) const {
    if (!empty_) recurse(0, {}, row);
  }
  /// As run(), shared out among threads along the longest dimension in which operand `written` moves, so that no two
  /// write one element and each sees the same elements in the same order however many there are. Serial where there is
  /// no such dimension, or less than `grain` elements a thread.
  template <typename Row>
  void run_parallel(size_t written, int64_t grain, const Row& row) const {
    if (empty_) return;
    size_t widest = rank_;
    int64_t elements = 1;
    for (size_t d = 0; d < rank_; ++d) {
      elements *= dims_[d].extent;
      if (dims_[d].strides[written] != 0 && (widest == rank_ || dims_[d].extent > dims_[widest].extent)) widest = d;
    }
    if (widest == rank_) return recurse(0, {}, row);
    const int64_t extent = dims_[widest].extent, each = std::max<int64_t>(1, elements / extent);
    parallel_for(extent, std::max<int64_t>(1, grain / each), [&](int64_t first, int64_t last) {
      Walk part = *this;
      part.dims_[widest].extent = last - first;
      Offsets at{};
      for (size_t k = 0; k < kOperands; ++k) at[k] = first * dims_[widest].strides[k];
      part.recurse(0, at, row);
    });
  }

 private:
  struct Dim {
    int64_t extent = 1;
    Offsets strides{};
  };
  template <typename Row>
  void recurse(size_t dim, const Offsets& at, const Row& row) const {
    const Dim& d = dims_[dim];
    if (dim + 1 == rank_) return row(at, d.extent, d.strides);
    Offsets next = at;
    for (int64_t i = 0; i < d.extent; ++i) {
      recurse(dim + 1, next, row);
      for (size_t k = 0; k < kOperands; ++k) next[k] += d.strides[k];
    }
  }
  std::array<Dim, kMaxRank> dims_{};
  size_t rank_ = 0;
  bool empty_ = false;
};

/// Calls visit(T{}) with the arithmetic type of a dtype. Throws Error for half types, which are converted at import.
template <typename Visit>
void visit_arithmetic(DType dtype, Visit visit) {
  switch (dtype) {
    case DType::f32:
      return visit(float{});
    case DType::f64:
      return visit(double{});
    case DType::i64:
      return visit(int64_t{});
    case DType::i32:
      return visit(int32_t{});
    case DType::u8:
      return visit(uint8_t{});
    case DType::i8:
      return visit(int8_t{});
    default:
      throw Error(std::string("arithmetic on ") + name_of(dtype) + " is not supported");
  }
}

/// The same, with booleans.
template <typename Visit>
void visit_elements(DType dtype, Visit visit) {
  if (dtype == DType::boolean) return visit(bool{});
  visit_arithmetic(dtype, visit);
}

}  // namespace graft::cpu
