#include "apps/cli/notes.h"

#include <iostream>

#include "apps/cli/printable.h"
#include "graft/error.h"

namespace graft::app {
namespace {

std::vector<std::string> notes;

}  // namespace

void tell_note(const std::string& told, bool quiet) {
  const std::string note = with_options(told);
  notes.push_back(note);
  if (!quiet) std::cerr << "graft: note: " << printable(note) << '\n';
}

std::string with_options(const std::string& text) {
  return Error(text).text([](std::string_view setting) { return "--" + std::string(setting); });
}

const std::vector<std::string>& told_notes() { return notes; }

}  // namespace graft::app
