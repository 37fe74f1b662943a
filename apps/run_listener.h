#pragma once

#include <string>

#include "apps/progress.h"
#include "graft/listener.h"

namespace graft::app {

/// Tells on stderr how a run over pictures goes; what it leaves out makes the exit status "some skipped".
class RunListener final : public Listener {
 public:
  explicit RunListener(bool quiet) : quiet_(quiet), progress_(quiet) {}
  void progress(const std::string& phase, int64_t done, int64_t total) override { progress_.show(phase, done, total); }
  void note(const std::string& text) override;
  void skipped(const std::string& reason) override;

 private:
  bool quiet_;
  Progress progress_;
};

}  // namespace graft::app
