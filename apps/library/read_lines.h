#pragma once

#include <string>
#include <vector>

namespace graft {

/// The lines of a text file. Throws Error (not_found).
std::vector<std::string> read_lines(const std::string& path);

/// The same lines, each with "\n" at its end.
std::string read_text(const std::string& path);

}  // namespace graft
