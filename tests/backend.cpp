#include "tests/backend.h"

#include <cstdlib>
#include <string>

#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"
#include "runtime/plan/device.h"

namespace graft {

const Backend& test_backend() {
  static const Backend& backend = []() -> const Backend& {
    const char* set = std::getenv("GRAFT_TEST_BACKEND");
    const std::string name = set ? set : "cpu";
    if (name == "cpu") return cpu_backend();
    if (name == "emulated") return cuda::emulated_backend(cpu_backend());
    if (name == "cuda") {
      const OpenedDevice opened = open_device({"cuda", "fp32"});  // what the processor's results can be compared with
      if (!opened.note.empty()) throw Error(opened.note);
      return *opened.backend;
    }
    throw Error("GRAFT_TEST_BACKEND=" + name + ": no such backend", "use cpu, emulated or cuda");
  }();
  return backend;
}

}  // namespace graft
