#pragma once

#include <functional>
#include <iosfwd>
#include <string>

namespace graft {

/// Lets `write` fill a file beside `path`, then renames it: readers see the old content or the new, never half. On any
/// failure (also a full disk) the file beside is removed and Error names the path and the reason. What a killed writer
/// of the same path left beside it is removed as well.
void write_atomically(const std::string& path, const std::function<void(std::ostream&)>& write);

}  // namespace graft
