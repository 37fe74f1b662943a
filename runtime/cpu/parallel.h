#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace graft::cpu {

/// Splits 0…n-1 into one contiguous piece a thread and calls body(first, last). Pieces below `grain` are not worth a
/// thread.
template <typename Body>
void parallel_for(int64_t n, int64_t grain, const Body& body) {
  const int64_t threads = std::clamp<int64_t>(n / std::max<int64_t>(grain, 1), 1, omp_get_max_threads());
  if (threads == 1) {
    if (n > 0) body(int64_t{0}, n);
    return;
  }
#pragma omp parallel num_threads(static_cast <int>(threads))
  {
    const int64_t t = omp_get_thread_num(), count = omp_get_num_threads();
    const int64_t first = n * t / count, last = n * (t + 1) / count;
    if (first < last) body(first, last);
  }
}

}  // namespace graft::cpu
