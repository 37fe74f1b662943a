#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace graft::app {

/// Tells on stderr how far a phase has come: a bar on a terminal, otherwise a line every ten seconds. Silent when told
/// so.
class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress();
  void show(const std::string& phase, int64_t done, int64_t total);
  /// Prints a line of its own, above the bar.
  void line(const std::string& text);

 private:
  void clear_bar();
  bool quiet_, terminal_, bar_shown_ = false;
  std::string phase_;
  std::chrono::steady_clock::time_point started_, last_;
};

}  // namespace graft::app
