#pragma once

namespace graft::app {

/// What this machine does at most, measured now.
struct MachinePeaks {
  double multiply_adds = 0;  // a second, in float32, by the tiles that convolutions and dense layers are made of
  double bytes = 0;          // a second, read and written, of memory far larger than the caches
};

/// Takes about half a second. `threads`: 0: one a core.
MachinePeaks measure_peaks(int threads);

}  // namespace graft::app
