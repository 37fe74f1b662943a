#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace graft::app {

/// How pictures come into the folders of their classes.
enum class Placing : uint8_t { none, copy, link, move };

/// Puts a file into FOLDER/LABEL under its own name, or one with a number where another file has that: nothing is
/// overwritten, nothing is half there, and what is there already stays. Links are symbolic, to the absolute path.
/// Returns the new path. Throws Error (io).
std::string place_file(const std::string& path, const std::string& folder, const std::string& label, Placing how);

/// What --copy-to, --link-to and --move-to say.
struct PlacingOptions {
  Placing how = Placing::none;
  std::string folder;
};
/// Registers the three; `help`: of the first. `options` outlives the command.
void add_placing(CLI::App& command, PlacingOptions& options, const std::string& help);

/// Makes the folder where it is not there. Throws Error (io).
void require_folder(const std::string& folder);

}  // namespace graft::app
