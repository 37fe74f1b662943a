#pragma once

#include "finetune/optimizers/parts.h"
#include "runtime/core/isa.h"

namespace graft {

/// Pieces of a tensor over which sums run, always the same ones, so that the number of threads changes nothing.
inline constexpr int64_t kSumPiece = 16384;

/// Calls piece(p, first, last), which returns a sum, for the pieces of the tensors `which`, of elements(p) elements
/// each, and adds each tensor's up. The result has an element for each of `tensors`.
template <typename Elements, typename Piece>
std::vector<double> sums_of_pieces(size_t tensors, std::span<const size_t> which, const Elements& elements,
                                   const Piece& piece) {
  struct Range {
    size_t p;
    int64_t first, last;
    double sum = 0;
  };
  std::vector<Range> ranges;
  for (size_t p : which)
    for (int64_t first = 0, n = elements(p); first < n; first += kSumPiece)
      ranges.push_back({p, first, std::min(n, first + kSumPiece)});
  parallel_for(static_cast<int64_t>(ranges.size()), 4, [&](int64_t first, int64_t last) {
    for (Range& r : std::span(ranges).subspan(static_cast<size_t>(first), static_cast<size_t>(last - first)))
      r.sum = piece(r.p, r.first, r.last);
  });
  std::vector<double> sums(tensors);
  for (const Range& r : ranges) sums[r.p] += r.sum;
  return sums;
}

/// The same for parameters.
template <typename Piece>
std::vector<double> sums_of_pieces(const std::vector<Parameter>& parameters, std::span<const size_t> which,
                                   const Piece& piece) {
  return sums_of_pieces(
      parameters.size(), which, [&](size_t p) { return parameters[p].tensor->elements(); }, piece);
}

/// Σ term(i) for i < n, in partial sums whose order is the same for every instruction set. For use in on_best_isa.
template <typename Term>
double sum_of_terms(int64_t n, const Term& term) {
  constexpr int64_t kPartial = 16;
  double sums[kPartial] = {};
  int64_t i = 0;
  for (; i + kPartial <= n; i += kPartial) {
#pragma omp simd
    for (int64_t k = 0; k < kPartial; ++k) sums[k] += term(i + k);
  }
  for (; i < n; ++i) sums[i % kPartial] += term(i);
  return std::accumulate(sums, sums + kPartial, 0.0);
}

/// Σ x²
inline double sum_of_squares(const float* x, int64_t n) {
  return cpu::on_best_isa([=] {
    return sum_of_terms(n, [=](int64_t i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); });
  });
}

}  // namespace graft
