#pragma once

#include <string>
#include <vector>

namespace graft {

/// The lines of a text file. Throws Error (not_found).
std::vector<std::string> read_lines(const std::string& path);

}  // namespace graft
