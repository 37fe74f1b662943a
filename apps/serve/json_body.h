#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace graft::app {

/// A request's body. Throws Error for what is no JSON, and for lists in lists in lists …, which would take the stack of
/// whoever walks them.
nlohmann::json parse_body(std::string_view text);

}  // namespace graft::app
