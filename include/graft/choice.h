#pragma once

#include <map>
#include <string>

namespace graft {

/// Names and texts of what is set: {"momentum", "0.95"}. docs/settings.md lists them all.
using SettingValues = std::map<std::string, std::string>;

/// A component (a loss, an optimizer, a schedule, a head) by its name, with what is set of it; everything else is its
/// default.
struct Choice {
  std::string name;
  SettingValues values{};
};

/// How batch norms below the head are treated: automatic trains them only when nothing is frozen; frozen ones keep
/// their statistics.
enum class BatchNormPolicy { automatic, frozen, train };

/// Whether what the frozen part makes of each picture is computed once and kept: automatic does so where it fits.
enum class Caching { automatic, off, on };

}  // namespace graft
