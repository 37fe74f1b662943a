#pragma once

#include <string>
#include <vector>

#include "apps/cli/progress.h"
#include "graft/listener.h"

namespace graft::app {

/// Tells on stderr how a run over pictures goes; what it leaves out makes the exit status "some skipped".
class RunListener final : public Listener {
 public:
  explicit RunListener(bool quiet) : quiet_(quiet), progress_(quiet) {}
  void progress(const std::string& phase, int64_t done, int64_t total) override { progress_.show(phase, done, total); }
  void note(const std::string& text) override;
  void skipped(const std::string& reason) override;
  /// What was noted so far.
  const std::vector<std::string>& notes() const { return notes_; }
  /// What was skipped so far.
  const std::vector<std::string>& unreadable() const { return unreadable_; }

 private:
  bool quiet_;
  std::vector<std::string> notes_, unreadable_;
  Progress progress_;
};

}  // namespace graft::app
