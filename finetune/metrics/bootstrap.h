#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

namespace graft {

/// The middle 95 % of what statistics come to on sets drawn from `count` items with replacement: how far to trust what
/// a small set says. `statistics` is told how often each item was drawn and writes `figures` numbers; sets for which a
/// figure is NaN do not count for it. The same bits for the same seed. Lower and upper end of each; both NaN where no
/// set gives a number. [Efron & Tibshirani 1993, the percentile interval]
std::vector<std::pair<double, double>> bootstrap_intervals(
    size_t count, size_t figures,
    const std::function<void(std::span<const uint32_t> drawn, std::span<double>)>& statistics, int resamples = 2000,
    uint64_t seed = 0);

/// 2,000 sets, fewer where going through one takes so many `steps` that all together would take long.
int resamples_for(size_t steps);

}  // namespace graft
