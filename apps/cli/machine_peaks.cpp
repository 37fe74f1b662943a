#include "apps/cli/machine_peaks.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "runtime/core/processors.h"
#include "runtime/cpu/vector/tiles.h"

namespace graft::app {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Multiply-adds a second of one thread, on operands that stay in its first cache.
double tiles_of_a_thread(double seconds) {
  const cpu::TileKernels& kernels = cpu::tile_kernels();
  constexpr int64_t kDepth = 128, kTiles = 2;
  const int64_t rows = kTiles * kernels.rows;
  std::vector<float> a(static_cast<size_t>(rows * kDepth), 1e-3F),
      b(static_cast<size_t>((kDepth + 64) * kernels.columns), 1e-3F), c(static_cast<size_t>(rows * kernels.columns));
  const cpu::BlockProduct product{rows,
                                  kernels.columns,
                                  kDepth,
                                  a.data(),
                                  kDepth,
                                  kernels.rows * kDepth,
                                  kernels.rows,
                                  b.data(),
                                  kernels.columns,
                                  kDepth * kernels.columns,
                                  c.data(),
                                  kernels.columns};
  int64_t made = 0;
  const auto start = Clock::now();
  while (seconds_since(start) < seconds) {
    constexpr int kAtOnce = 200;
    for (int i = 0; i < kAtOnce; ++i) kernels.multiply_rows(product);
    made += kAtOnce * rows * kernels.columns * kDepth;
  }
  return static_cast<double>(made) / seconds_since(start);
}

/// Runs `work(i)` in so many threads at once.
template <typename Work>
void at_once(unsigned threads, const Work& work) {
  std::vector<std::thread> team;
  for (unsigned i = 0; i < threads; ++i) team.emplace_back([&work, i] { work(i); });
  for (std::thread& one : team) one.join();
}

}  // namespace

MachinePeaks measure_peaks(int threads) {
  const unsigned count = threads > 0 ? static_cast<unsigned>(threads) : static_cast<unsigned>(usable_processors());
  MachinePeaks peaks;
  std::vector<double> each(count);
  at_once(count, [&](unsigned i) { each[i] = tiles_of_a_thread(0.2); });
  for (const double one : each) peaks.multiply_adds += one;

  constexpr size_t kFloats = size_t{32} << 20;  // 128 MiB read, as much written
  const std::vector<float> from(kFloats, 1.0F);
  std::vector<float> to(kFloats);
  for (int i = 0; i < 4; ++i) {
    const auto start = Clock::now();
    at_once(count, [&](unsigned part) {
      const size_t first = kFloats * part / count, last = kFloats * (part + 1) / count;
      std::copy(from.data() + first, from.data() + last, to.data() + first);
    });
    peaks.bytes = std::max(peaks.bytes, 2.0 * static_cast<double>(kFloats * sizeof(float)) / seconds_since(start));
  }
  return peaks;
}

}  // namespace graft::app
