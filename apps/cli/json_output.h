#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "graft/error.h"

namespace graft::app {

/// Of what --json prints, docs/json.md: raised when a key goes or means something else; new keys leave it as it is.
inline constexpr int kJsonSchema = 2;

/// Prints one object in a line on stdout, with the schema's number in it, and what was told (tell_note) as the first of
/// its notes. Text that is no UTF-8 is made to be.
void print_json(nlohmann::json object);

/// What --json prints where a command fails: {"schema", "error": {"code", "text", "setting"}}.
void print_json_error(const Error& error, const std::string& text);

}  // namespace graft::app
