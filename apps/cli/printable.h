#pragma once

#include <string>
#include <string_view>

namespace graft::app {

/// Text as a line on a terminal can hold it: control characters, which a file's name may have, are written as in C
/// ("\n", "\x1b"). All else stays, UTF-8 too.
std::string printable(std::string_view text);

}  // namespace graft::app
