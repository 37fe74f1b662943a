#pragma once

namespace graft {

/// The version of the library that is linked: "0.1.0". Lives as long as the program.
const char* version();

}  // namespace graft
