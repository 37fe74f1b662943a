#pragma once

#include <string_view>

namespace graft::app {

/// While it lives, SIGINT and SIGTERM do not end the program but ask for an end; a second one ends it at once.
class Interruption {
 public:
  /// `first`: what the first signal says, a line; "" for nothing. It lives as long as the program.
  explicit Interruption(std::string_view first = "\ngraft: ending after this batch; once more ends at once\n");
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  /// Whether an end was asked for, also after the object is gone.
  static bool asked();
};

/// The exit status of what was interrupted, as shells have it for SIGINT.
inline constexpr int kInterrupted = 130;

}  // namespace graft::app
