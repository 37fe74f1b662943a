#pragma once

#include <omp.h>

namespace graft {

/// The number of threads that a parallel region started by this thread has, until the end of the scope; then it is what
/// it was before, whatever was set in between.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads = omp_get_max_threads()) : before_(omp_get_max_threads()) {
    omp_set_num_threads(threads);
  }
  ~ThreadLimit() { omp_set_num_threads(before_); }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
};

}  // namespace graft
