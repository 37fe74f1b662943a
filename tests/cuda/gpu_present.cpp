// Ends with 0 where a GPU can be used, else says why not and ends with 77, which ctest counts as skipped.
#include <cstdio>

#include "runtime/plan/device.h"

int main() {
  const graft::OpenedDevice opened = graft::open_device({"cuda"});
  std::printf("%s\n", opened.note.empty() ? opened.description.c_str() : opened.note.c_str());
  return opened.note.empty() ? 0 : 77;
}
