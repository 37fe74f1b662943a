#pragma once

#include <string>
#include <vector>

namespace graft::app {

/// Every picture of DATA, whatever it is labelled with: of a table, else of a folder and all below it. Throws Error
/// where there is none.
std::vector<std::string> picture_paths(const std::string& data);

}  // namespace graft::app
