// libFuzzer target: any bytes end in a model or in one Error, within the memory that -rss_limit_mb allows.
// Build: cmake --preset fuzz && cmake --build --preset fuzz; run: scripts/fuzz.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "importer/reader.h"
#include "runtime/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int file = memfd_create("model", 0);
  if (file < 0 || ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  try {
    graft::read_model("/proc/self/fd/" + std::to_string(file));
  } catch (const graft::Error&) {
  }
  return 0;
}
