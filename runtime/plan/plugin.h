#pragma once

#include <memory>
#include <string>

#include "runtime/core/backend.h"
#include "runtime/cuda/plugin.h"

namespace graft {

/// A backend that a plugin made, and the plugin releases.
using PluginBackend = std::unique_ptr<Backend, void (*)(Backend*)>;

struct OpenedPlugin {
  PluginBackend backend;
  std::string description;  // what the device is
};

/// What a plugin's build_identity() must return.
const char* build_identity();

/// Opens a device of a plugin. `host` and the plugin outlive the result. Throws Error where the plugin is of another
/// build, in one line, and where it cannot open the device, with its reason.
OpenedPlugin open_plugin(const cuda::PluginFunctions& plugin, int device, const std::string& precision,
                         const Backend& host);

}  // namespace graft
