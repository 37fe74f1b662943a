#pragma once

#include <string>
#include <vector>

namespace graft::app {

/// Says in one line on stderr, unless told to be quiet, what was guessed, left aside or replaced. What --json prints
/// holds it, too (print_json), quiet or not.
void tell_note(const std::string& note, bool quiet);

/// A library's text, with the settings that it mentions (graft/error.h) as options of the command line.
std::string with_options(const std::string& text);

/// What was told so far, in order.
const std::vector<std::string>& told_notes();

}  // namespace graft::app
