#pragma once

#include <cstdlib>
#include <string>

namespace graft::app {

/// The variable's value, or "".
inline std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

/// graft/NAME in XDG_CACHE_HOME or ~/.cache; "" where there is neither.
inline std::string cache_folder(const std::string& name) {
  if (const std::string shared = environment("XDG_CACHE_HOME"); shared.starts_with("/"))
    return shared + "/graft/" + name;
  const std::string home = environment("HOME");
  return home.empty() ? "" : home + "/.cache/graft/" + name;
}

}  // namespace graft::app
