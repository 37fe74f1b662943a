#pragma once

#include <string>

namespace graft::app {

/// How pictures come into the folders of their classes.
enum class Placing : uint8_t { none, copy, link, move };

/// Puts a file into FOLDER/LABEL under its own name, or one with a number where that is taken: nothing is overwritten,
/// and nothing is half there. Links are symbolic, to the absolute path. Returns the new path. Throws Error (io).
std::string place_file(const std::string& path, const std::string& folder, const std::string& label, Placing how);

}  // namespace graft::app
