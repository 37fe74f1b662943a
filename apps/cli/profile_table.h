#pragma once

#include <iosfwd>
#include <optional>

#include "apps/cli/machine_peaks.h"
#include "runtime/plan/plan.h"

namespace graft::app {

/// Runs the plan once more, each kernel timed by itself, and writes a line a kernel, the slowest first: time, GFLOP/s
/// (two a multiply-add), bytes of what it reads and writes, and how near it comes to what the machine can do, in
/// arithmetic or in memory, whichever is nearer; then the sums by operator.
void write_profile(Plan& plan, const std::optional<MachinePeaks>& peaks, std::ostream& stream);

}  // namespace graft::app
