#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <type_traits>

#include "runtime/core/thread_pool.h"

namespace graft {

/// Parts for each thread of a region whose parts may be of any size: enough that threads end together, be one of them
/// kept from running for a while, and few enough that a part keeps what it reads in its caches.
inline constexpr int64_t kPartsPerThread = 4;

/// How many parts `threads` threads share n units in, where fewer than `grain` are worse than no part: a number for
/// each thread, and n at most.
inline int64_t parts_of(int64_t n, int64_t grain, int64_t threads) {
  const int64_t each = std::clamp<int64_t>(n / (std::max<int64_t>(grain, 1) * threads), 1, kPartsPerThread);
  return std::clamp<int64_t>(threads * each, 1, std::max<int64_t>(n, 1));
}

/// What a thread of a parallel region throws must not leave it, which would end the process: each part runs through
/// guard(), and the thread that opened the region calls rethrow() behind it. The first exception is kept.
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

/// Runs body(part, slot) once for each of `parts`, by up to `threads` threads; `slot` is below `threads` and no other
/// running part's (run_region). Throws what a body throws, once all parts are done.
template <typename Body>
void parallel_parts(int64_t parts, int64_t threads, const Body& body) {
  struct Context {
    const Body& body;
    RegionErrors errors;
  } context{body, {}};
  run_region(
      parts, threads,
      [](void* shared, int64_t part, int64_t slot) {
        auto& c = *static_cast<Context*>(shared);
        c.errors.guard([&] { c.body(part, slot); });
      },
      &context);
  context.errors.rethrow();
}

/// Runs body(part, count) once for each part below count = `threads`. Throws what a body throws, once all parts are
/// done.
template <typename Body>
void parallel_team(int64_t threads, const Body& body) {
  parallel_parts(threads, threads, [&](int64_t part, int64_t) { body(part, threads); });
}

/// Splits 0…n-1 into contiguous pieces and calls body(first, last), or body(first, last, slot) with the piece's slot,
/// which is below thread_count(). Pieces below `grain` are not worth a thread. Throws what a body throws, once all
/// pieces are done.
template <typename Body>
void parallel_for(int64_t n, int64_t grain, const Body& body) {
  const auto call = [&](int64_t first, int64_t last, int64_t slot) {
    if constexpr (std::is_invocable_v<const Body&, int64_t, int64_t, int64_t>)
      body(first, last, slot);
    else
      body(first, last);
  };
  const int64_t worth = n / std::max<int64_t>(grain, 1), threads = std::clamp<int64_t>(worth, 1, thread_count());
  if (threads == 1) {
    if (n > 0) call(0, n, 0);
    return;
  }
  const int64_t parts = parts_of(n, grain, threads);
  parallel_parts(parts, threads,
                 [&](int64_t part, int64_t slot) { call(n * part / parts, n * (part + 1) / parts, slot); });
}

}  // namespace graft
