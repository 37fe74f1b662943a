#include "runtime/cpu/onednn_functions.h"

#include "runtime/core/shared_library.h"
#include "runtime/core/thread_pool.h"

namespace graft::cpu {
namespace {

struct Library {
  OneDnn functions{};
  // Of the OpenMP that oneDNN itself depends on; null where it has none.
  void (*set_openmp_threads)(int) = nullptr;
  int (*openmp_threads)() = nullptr;
};

const Library& library() {
  static const Library opened = [] {
    static const SharedLibrary file(GRAFT_ONEDNN_LIBRARY, "convolutions and matrix products of these shapes");
    Library found;
#define GRAFT_FIND(name) found.functions.name = file.function<decltype(::name)>(#name);
    GRAFT_ONEDNN_FUNCTIONS(GRAFT_FIND)
#undef GRAFT_FIND
    found.set_openmp_threads = file.function_if_any<void(int)>("omp_set_num_threads");
    found.openmp_threads = file.function_if_any<int()>("omp_get_max_threads");
    return found;
  }();
  return opened;
}

}  // namespace

OneDnnCall::OneDnnCall() {
  const Library& opened = library();
  if (!opened.set_openmp_threads || !opened.openmp_threads) return;
  const int before = opened.openmp_threads(), wanted = thread_count();
  if (before == wanted) return;
  opened.set_openmp_threads(wanted);
  before_ = before;
}

OneDnnCall::~OneDnnCall() {
  if (before_ > 0) library().set_openmp_threads(before_);
}

const OneDnn* OneDnnCall::operator->() const { return &library().functions; }

}  // namespace graft::cpu
