#pragma once

#include <filesystem>
#include <optional>

namespace graft {

/// How many processors this process may keep busy: those of its affinity mask, and no more than its control groups pay
/// for, rounded up. At least 1. Found out once.
int usable_processors();

/// Processors that the control groups of this process pay for, in parts of one: the smallest quota of its group and of
/// those around it. [kernel documentation: cgroup-v2, cpu.max; version 1: cpu.cfs_quota_us]. `groups`: lists the
/// process's groups, `root`: where they are mounted.
std::optional<double> processor_quota(const std::filesystem::path& groups = "/proc/self/cgroup",
                                      const std::filesystem::path& root = "/sys/fs/cgroup");

}  // namespace graft
