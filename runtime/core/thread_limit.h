#pragma once

#include "runtime/core/thread_pool.h"

namespace graft {

/// The number of threads of a parallel region that this thread opens, until the end of the scope; then it is what it
/// was before, whatever was set in between.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads = thread_count()) : before_(set_thread_count(threads)) {}
  ~ThreadLimit() { set_thread_count(before_); }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
};

}  // namespace graft
