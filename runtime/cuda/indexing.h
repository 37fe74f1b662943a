#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "runtime/core/tensor.h"
#include "runtime/cuda/launcher.h"

namespace graft::cuda {

inline constexpr int kMostDims = 6;

/// Where element i of a loop over a shape lies in each of N operands. Neighbouring i are neighbours in operand 0;
/// dimensions that lie alike in all operands are merged.
template <int N>
class Indexer {
 public:
  struct Places {
    int64_t at[N];
  };

  Indexer() = default;
  Indexer(const Shape& shape, const std::array<Strides, N>& strides) {
    std::vector<size_t> order;
    for (size_t d = 0; d < shape.size(); ++d) {
      count_ *= shape[d];
      if (shape[d] != 1) order.push_back(d);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return std::abs(strides[0][a]) > std::abs(strides[0][b]); });
    for (const size_t d : order) {
      bool merges = rank_ > 0;
      for (size_t n = 0; n < N && merges; ++n) merges = stride_[n][rank_ - 1] == strides[n][d] * shape[d];
      if (!merges) {
        if (++rank_ > kMostDims) return;
        extent_[rank_ - 1] = 1;
      }
      extent_[rank_ - 1] *= shape[d];
      for (size_t n = 0; n < N; ++n) stride_[n][rank_ - 1] = strides[n][d];
    }
    small_ = count_ <= INT32_MAX;
  }

  /// False where the shape has more dimensions than fit.
  bool fits() const { return rank_ <= kMostDims; }
  GRAFT_DEVICE int64_t count() const { return count_; }
  /// True where operand n is read or written in one piece.
  bool is_contiguous(int n) const { return rank_ == 0 || (rank_ == 1 && stride_[n][0] == 1); }

  GRAFT_DEVICE Places operator()(int64_t i) const {
    Places p{};
    if (small_)
      split(static_cast<uint32_t>(i), p);
    else
      split(static_cast<uint64_t>(i), p);
    return p;
  }

 private:
  template <typename Unsigned>
  GRAFT_DEVICE void split(Unsigned i, Places& p) const {
    for (int d = rank_ - 1; d >= 0; --d) {
      const Unsigned extent = static_cast<Unsigned>(extent_[d]), rest = d == 0 ? 0 : i / extent;
      const auto k = static_cast<int64_t>(i - rest * extent);
      for (int n = 0; n < N; ++n) p.at[n] += k * stride_[n][d];
      i = rest;
    }
  }

  int rank_ = 0;
  bool small_ = true;
  int64_t count_ = 1;
  int64_t extent_[kMostDims] = {};
  int64_t stride_[N][kMostDims] = {};
};

}  // namespace graft::cuda
