#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>

namespace graft {

/// What a thread of a parallel region throws must not leave it, which would end the process: each thread runs its part
/// through guard(), and the thread that opened the region calls rethrow() behind it. The first exception is kept.
/// Regions with a barrier inside, where a thread that left early would make the others wait for ever, call only what
/// cannot throw.
class RegionErrors {
 public:
  template <typename Body>
  void guard(const Body& body) noexcept {
    try {
      body();
    } catch (...) {
      if (!taken_.exchange(true)) first_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::atomic<bool> taken_{false};
  std::exception_ptr first_;
};

/// Runs body(thread, count) once in each of `threads` threads, or of fewer where the system gives no more: what a body
/// shares out follows from `count`. Throws what a body throws, once all threads are done.
template <typename Body>
void parallel_team(int64_t threads, const Body& body) {
  RegionErrors errors;
#pragma omp parallel num_threads(static_cast <int>(threads))
  errors.guard([&] { body(int64_t{omp_get_thread_num()}, int64_t{omp_get_num_threads()}); });
  errors.rethrow();
}

/// Splits 0…n-1 into one contiguous piece a thread and calls body(first, last). Pieces below `grain` are not worth a
/// thread. Throws what a body throws, once all threads are done.
template <typename Body>
void parallel_for(int64_t n, int64_t grain, const Body& body) {
  const int64_t threads = std::clamp<int64_t>(n / std::max<int64_t>(grain, 1), 1, omp_get_max_threads());
  if (threads == 1) {
    if (n > 0) body(int64_t{0}, n);
    return;
  }
  parallel_team(threads, [&](int64_t thread, int64_t count) {
    const int64_t first = n * thread / count, last = n * (thread + 1) / count;
    if (first < last) body(first, last);
  });
}

}  // namespace graft
