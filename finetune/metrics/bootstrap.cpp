#include "finetune/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/core/random.h"

namespace graft {

std::vector<std::pair<double, double>> bootstrap_intervals(
    size_t count, size_t figures, const std::function<void(std::span<const uint32_t>, std::span<double>)>& statistics,
    int resamples, uint64_t seed) {
  std::vector<std::vector<double>> values(figures);
  std::vector<uint32_t> drawn(count);
  std::vector<double> found(figures);
  for (int r = 0; r < resamples && count > 0; ++r) {
    Random random(mix(mix(seed, 0x626f6f74), static_cast<uint64_t>(r)));
    std::fill(drawn.begin(), drawn.end(), 0);
    for (size_t i = 0; i < count; ++i) ++drawn[random.below(count)];
    statistics(drawn, found);
    for (size_t k = 0; k < figures; ++k)
      if (!std::isnan(found[k])) values[k].push_back(found[k]);
  }
  std::vector<std::pair<double, double>> intervals;
  for (std::vector<double>& of_one : values) {
    std::sort(of_one.begin(), of_one.end());
    const auto at = [&](double part) {
      return of_one.empty() ? std::numeric_limits<double>::quiet_NaN()
                            : of_one[static_cast<size_t>(std::lround(part * static_cast<double>(of_one.size() - 1)))];
    };
    intervals.emplace_back(at(0.025), at(0.975));
  }
  return intervals;
}

int resamples_for(size_t steps) {
  constexpr size_t kWork = 200'000'000;
  return static_cast<int>(std::clamp<size_t>(kWork / std::max<size_t>(steps, 1), 200, 2000));
}

}  // namespace graft
