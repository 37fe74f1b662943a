#include "runtime/core/processors.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

namespace graft {
namespace {

int processors_by_affinity() {
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) return std::max(CPU_COUNT(&mask), 1);
  return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));  // more than a mask has room for
}

/// Version 2: "QUOTA PERIOD" in microseconds, or "max PERIOD".
std::optional<double> quota_in(const std::filesystem::path& folder) {
  std::ifstream file(folder / "cpu.max");
  double quota = 0, period = 0;
  if (file >> quota >> period && quota > 0 && period > 0) return quota / period;
  return std::nullopt;
}

/// Version 1; -1 is no quota.
std::optional<double> old_quota_in(const std::filesystem::path& folder) {
  std::ifstream quota_file(folder / "cpu.cfs_quota_us"), period_file(folder / "cpu.cfs_period_us");
  double quota = 0, period = 0;
  if (quota_file >> quota && period_file >> period && quota > 0 && period > 0) return quota / period;
  return std::nullopt;
}

}  // namespace

std::optional<double> processor_quota(const std::filesystem::path& groups, const std::filesystem::path& root) {
  std::optional<double> least;
  const auto take = [&](std::optional<double> quota) {
    if (quota) least = std::min(*quota, least.value_or(*quota));
  };
  std::ifstream list(groups);
  for (std::string line; std::getline(list, line);) {
    // HIERARCHY:CONTROLLERS:/PATH; version 2 has no controllers.
    const size_t first = line.find(':'), second = first == line.npos ? first : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool old = (',' + controllers + ',').find(",cpu,") != line.npos;
    if (!controllers.empty() && !old) continue;
    const std::filesystem::path mounted = old ? root / controllers : root;
    // In a container the path may be that of outside: what is not there has no quota, the mounted root still may.
    for (std::filesystem::path path = std::filesystem::path(line.substr(second + 1)).relative_path();;
         path = path.parent_path()) {
      take(old ? old_quota_in(mounted / path) : quota_in(mounted / path));
      if (path.empty()) break;
    }
  }
  return least;
}

int usable_processors() {
  static const int count = [] {
    const int by_affinity = processors_by_affinity();
    const auto quota = processor_quota();
    return quota ? std::clamp(static_cast<int>(std::ceil(*quota)), 1, by_affinity) : by_affinity;
  }();
  return count;
}

}  // namespace graft
