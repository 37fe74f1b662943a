#pragma once

#include <cstdint>

namespace graft {

/// How many threads share a parallel region that the calling thread opens: what set_thread_count() last said in this
/// thread, at first usable_processors(). 1 inside a region: regions do not nest.
int thread_count();

/// For regions that the calling thread opens from here on; 0: as at first. Returns what was set before.
int set_thread_count(int threads);

/// One part of a parallel region. `slot` is below the region's number of threads, and no two parts that run at the same
/// time have the same: it finds a thread's scratch memory.
using RegionBody = void (*)(void* context, int64_t part, int64_t slot);

/// Runs body(context, part, slot) once for each part in 0…parts-1, and returns when all have returned. The calling
/// thread takes part; up to threads-1 threads of one pool, which the whole process shares, help when they get round to
/// it. A thread prefers its own contiguous share of the parts and then takes what others have not begun, so that a
/// thread that another process keeps from running holds up the part that it is in, and no more. `body` must not throw.
void run_region(int64_t parts, int64_t threads, RegionBody body, void* context) noexcept;

}  // namespace graft
