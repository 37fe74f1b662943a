#include "apps/cli/notes.h"

#include <iostream>

#include "apps/cli/printable.h"

namespace graft::app {
namespace {

std::vector<std::string> notes;

}  // namespace

void tell_note(const std::string& note, bool quiet) {
  notes.push_back(note);
  if (!quiet) std::cerr << "graft: note: " << printable(note) << '\n';
}

const std::vector<std::string>& told_notes() { return notes; }

}  // namespace graft::app
