#include "runtime/core/strided_copy.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "runtime/core/error.h"

namespace graft {

bool is_row_major(const Shape& shape, const Strides& strides) {
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

StridedCopy::StridedCopy(size_t element_bytes, const Shape& shape, const Strides& from, const Strides& to)
    : element_bytes_(element_bytes) {
  std::vector<Dim> dims;
  const auto bytes = static_cast<int64_t>(element_bytes);
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) empty_ = true;
    if (shape[i] != 1) dims.push_back({shape[i], from[i] * bytes, to[i] * bytes});
  }
  // Writing in order is what counts: walk the target's largest stride outermost, and merge what is contiguous in both.
  std::stable_sort(dims.begin(), dims.end(), [](const Dim& a, const Dim& b) { return a.to > b.to; });
  std::vector<Dim> merged;
  for (const Dim& d : dims) {
    if (!merged.empty() && merged.back().from == d.from * d.extent && merged.back().to == d.to * d.extent) {
      merged.back() = {merged.back().extent * d.extent, d.from, d.to};
    } else {
      merged.push_back(d);
    }
  }
  if (merged.size() > kMaxRank) throw Error("a tensor of more than 8 dimensions cannot be rearranged");
  if (merged.empty()) merged.push_back({1, bytes, bytes});
  rank_ = merged.size();
  std::copy(merged.begin(), merged.end(), dims_.begin());
}

int64_t StridedCopy::row_elements() const {
  int64_t n = 1;
  for (size_t d = 1; d < rank_; ++d) n *= dims_[d].extent;
  return n;
}

void StridedCopy::run_rows(const void* from, void* to, int64_t first, int64_t last) const {
  if (first < last)
    walk(0, last - first, static_cast<const std::byte*>(from) + first * dims_[0].from,
         static_cast<std::byte*>(to) + first * dims_[0].to);
}

namespace {

template <typename T>
void copy_row(int64_t n, const std::byte* from, int64_t from_step, std::byte* to, int64_t to_step) {
  if (to_step == static_cast<int64_t>(sizeof(T))) {
    T* out = reinterpret_cast<T*>(to);
    for (int64_t i = 0; i < n; ++i) out[i] = *reinterpret_cast<const T*>(from + i * from_step);
    return;
  }
  for (int64_t i = 0; i < n; ++i)
    *reinterpret_cast<T*>(to + i * to_step) = *reinterpret_cast<const T*>(from + i * from_step);
}

}  // namespace

void StridedCopy::walk(size_t dim, int64_t extent, const std::byte* from, std::byte* to) const {
  const Dim& d = dims_[dim];
  if (dim + 1 < rank_) {
    for (int64_t i = 0; i < extent; ++i) walk(dim + 1, dims_[dim + 1].extent, from + i * d.from, to + i * d.to);
    return;
  }
  const auto bytes = static_cast<int64_t>(element_bytes_);
  if (d.from == bytes && d.to == bytes) {
    std::memcpy(to, from, static_cast<size_t>(extent * bytes));
    return;
  }
  switch (element_bytes_) {
    case 1:
      return copy_row<uint8_t>(extent, from, d.from, to, d.to);
    case 2:
      return copy_row<uint16_t>(extent, from, d.from, to, d.to);
    case 4:
      return copy_row<uint32_t>(extent, from, d.from, to, d.to);
    default:
      return copy_row<uint64_t>(extent, from, d.from, to, d.to);
  }
}

}  // namespace graft
