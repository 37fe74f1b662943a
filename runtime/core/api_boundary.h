#pragma once

#include <filesystem>
#include <new>

#include "runtime/core/error.h"
#include "runtime/core/thread_limit.h"

namespace graft {

/// Calls `body`, of which nothing but an Error comes out, and which leaves the calling thread's number of threads
/// as it was: every public function is one call of it.
template <typename Body>
decltype(auto) at_api_boundary(Body&& body) {
  const ThreadLimit callers;
  try {
    return std::forward<Body>(body)();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Error("out of memory", "use a smaller " + mention("batch"), ErrorCode::out_of_memory);
  } catch (const std::filesystem::filesystem_error& e) {
    throw Error(e.what(), {}, ErrorCode::io);
  } catch (const std::exception& e) {
    throw Error(e.what(), {}, ErrorCode::internal);
  }
}

}  // namespace graft
