#pragma once

#include <string>

namespace graft::app {

/// A field as a table holds it: in quotes where it holds what ends fields. [RFC 4180]
inline std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace graft::app
