#include "apps/cli/run_listener.h"

#include <iostream>

#include "apps/cli/common.h"
#include "apps/cli/notes.h"
#include "apps/cli/printable.h"

namespace graft::app {

void RunListener::note(const std::string& text) {
  notes_.push_back(with_options(text));
  if (!quiet_) std::cerr << "graft: " << printable(notes_.back()) << "\n";
}

void RunListener::skipped(const std::string& reason) {
  std::cerr << "graft: skipped " << printable(reason) << "\n";
  set_exit_status(kSomeSkipped);
  unreadable_.push_back(reason);
}

}  // namespace graft::app
