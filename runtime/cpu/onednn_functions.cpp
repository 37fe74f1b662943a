#include "runtime/cpu/onednn_functions.h"

#include "runtime/core/shared_library.h"
#include "runtime/core/thread_pool.h"

namespace graft::cpu {
namespace {

struct Library {
  OneDnn functions{};
  void (*set_openmp_threads)(int) = nullptr;
};

Library open_library() {
  static const SharedLibrary library(GRAFT_ONEDNN_LIBRARY, "convolutions and matrix products of these shapes");
  Library found;
#define GRAFT_FIND(name) found.functions.name = library.function<decltype(::name)>(#name);
  GRAFT_ONEDNN_FUNCTIONS(GRAFT_FIND)
#undef GRAFT_FIND
  found.set_openmp_threads = library.function<void(int)>("omp_set_num_threads");  // of what oneDNN itself depends on
  return found;
}

}  // namespace

const OneDnn& onednn() {
  static const Library library = open_library();
  // oneDNN asks OpenMP how many threads the calling thread may have, which is a number of this thread's own there too.
  thread_local int told = 0;
  if (const int threads = thread_count(); threads != told) {
    library.set_openmp_threads(threads);
    told = threads;
  }
  return library.functions;
}

}  // namespace graft::cpu
