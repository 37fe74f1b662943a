#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace graft {

/// A path under which a fuzzer's bytes are read as a file, without touching a disk. Valid until the next call.
inline std::string input_file(const uint8_t* data, size_t size) {
  static const int file = memfd_create("input", 0);
  if (file < 0 || ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) return {};
  return "/proc/self/fd/" + std::to_string(file);
}

}  // namespace graft
