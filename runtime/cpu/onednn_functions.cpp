#include "runtime/cpu/onednn_functions.h"

#include "runtime/core/shared_library.h"

namespace graft::cpu {

const OneDnn& onednn() {
  static const OneDnn functions = [] {
    static const SharedLibrary library(GRAFT_ONEDNN_LIBRARY, "convolutions and matrix products of these shapes");
    OneDnn found{};
#define GRAFT_FIND(name) found.name = library.function<decltype(::name)>(#name);
    GRAFT_ONEDNN_FUNCTIONS(GRAFT_FIND)
#undef GRAFT_FIND
    return found;
  }();
  return functions;
}

}  // namespace graft::cpu
