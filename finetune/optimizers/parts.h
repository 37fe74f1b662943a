#pragma once

#include <algorithm>
#include <numeric>

#include "finetune/optimizers/optimizer.h"
#include "runtime/core/parallel.h"

namespace graft {

/// Several streams at once run ahead of the processor's own prefetching: lines are asked for a few blocks early, into
/// the second cache (decision 8).
inline constexpr int64_t kBlock = 64, kAhead = 512;
inline void prefetch_block(const float* p) {
  for (int64_t line = 0; line < kBlock; line += 16) __builtin_prefetch(p + line, 0, 2);
}

/// Calls body(p, first, last) for ranges that together are all elements of the tensors `which`, of elements(p) elements
/// each, shared evenly among threads whatever the tensors' sizes: one parallel region for all of them.
template <typename Elements, typename Body>
void for_each_range(std::span<const size_t> which, const Elements& elements, const Body& body) {
  int64_t total = 0;
  for (size_t p : which) total += elements(p);
  constexpr int64_t kWorthThreads = 65536;
  const int64_t threads = total > kWorthThreads ? thread_count() : 1, parts = parts_of(total, kWorthThreads, threads);
  parallel_parts(parts, threads, [&](int64_t part, int64_t) {
    const int64_t from = total * part / parts, to = total * (part + 1) / parts;
    int64_t begin = 0;
    for (size_t p : which) {
      if (begin >= to) break;
      const int64_t n = elements(p);
      const int64_t first = std::max<int64_t>(from - begin, 0), last = std::min(to - begin, n);
      if (first < last) body(p, first, last);
      begin += n;
    }
  });
}

/// The same for parameters.
template <typename Body>
void for_each_part(const std::vector<Parameter>& parameters, std::span<const size_t> which, const Body& body) {
  for_each_range(
      which, [&](size_t p) { return parameters[p].tensor->elements(); }, body);
}

/// 0, 1, … for all parameters.
inline std::vector<size_t> every(const std::vector<Parameter>& parameters) {
  std::vector<size_t> all(parameters.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return all;
}

}  // namespace graft
