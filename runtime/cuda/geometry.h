#pragma once

#include <algorithm>
#include <cstdint>

namespace graft::cuda {

/// How many blocks of how many threads run a loop.
struct Geometry {
  unsigned blocks = 1, threads = 1;
};

inline constexpr unsigned kThreads = 256, kWarp = 32;

/// For `n` iterations, one a thread until the device is `waves` times full (2,048 threads a multiprocessor), several
/// after that. n > 0.
inline Geometry geometry(int64_t n, int multiprocessors, int waves = 4) {
  const int64_t full = int64_t{2048} / kThreads * multiprocessors * waves;
  return {static_cast<unsigned>(std::clamp<int64_t>((n + kThreads - 1) / kThreads, 1, full)), kThreads};
}

}  // namespace graft::cuda
