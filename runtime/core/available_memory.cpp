#include "runtime/core/available_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace graft {
namespace {

std::optional<uint64_t> number_in(const char* path) {
  std::ifstream stream(path);
  uint64_t number = 0;
  if (stream >> number) return number;  // "max" is none
  return std::nullopt;
}

/// Of a file of "NAME NUMBER" lines; 0 where it is not there.
uint64_t number_beside(const char* path, const std::string& wanted) {
  std::ifstream stream(path);
  std::string name;
  for (uint64_t number = 0; stream >> name >> number;)
    if (name == wanted) return number;
  return 0;
}

std::optional<uint64_t> of_system() {
  std::ifstream stream("/proc/meminfo");
  for (std::string name; stream >> name; stream.ignore(std::numeric_limits<std::streamsize>::max(), '\n')) {
    uint64_t kibibytes = 0;
    if (name == "MemAvailable:" && stream >> kibibytes) return kibibytes << 10;
  }
  return std::nullopt;
}

/// Of the control group that the program sees as its own, versions 2 and 1.
std::optional<uint64_t> of_group() {
  struct Files {
    const char *limit, *usage, *details, *cache;
  };
  constexpr Files kFiles[] = {
      {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat", "inactive_file"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
       "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file"}};
  for (const Files& files : kFiles) {
    const auto most = number_in(files.limit), used = number_in(files.usage);
    if (!most || !used) continue;
    const uint64_t given_back = std::min(*used, number_beside(files.details, files.cache));  // files read before
    return *most - std::min(*most, *used - given_back);
  }
  return std::nullopt;
}

}  // namespace

uint64_t available_memory() {
  const auto system = of_system(), group = of_group();
  if (!system) return group.value_or(0);
  return std::min(*system, group.value_or(*system));
}

}  // namespace graft
