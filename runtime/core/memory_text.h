#pragma once

#include <cstddef>
#include <string>

namespace graft {

/// "12 MiB", rounded up.
inline std::string mebibytes(size_t bytes) { return std::to_string((bytes + (size_t{1} << 20) - 1) >> 20) + " MiB"; }

}  // namespace graft
