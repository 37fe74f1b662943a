#include "runtime/plan/plugin.h"

#include <array>
#include <string_view>

#include "runtime/core/error.h"
#include "runtime/cuda/build_identity.h"

namespace graft {

const char* build_identity() { return cuda::kBuildIdentity; }

OpenedPlugin open_plugin(const cuda::PluginFunctions& plugin, int device, const std::string& precision,
                         const Backend& host) {
  if (!plugin.build_identity || !plugin.open || !plugin.close)
    throw Error("the plugin is of another build than this program: it lacks a function", "build both again",
                ErrorCode::unsupported);
  const std::string_view theirs = plugin.build_identity(), ours = build_identity();
  if (theirs != ours)
    throw Error("the plugin is of another build than this program: \"" + std::string(theirs) + "\", not \"" +
                    std::string(ours) + "\"",
                "build both again", ErrorCode::unsupported);
  std::array<char, 256> description{};
  std::array<char, 1024> message{};
  PluginBackend backend(plugin.open(device, precision.c_str(), &host, description.data(), description.size(),
                                    message.data(), message.size()),
                        plugin.close);
  if (!backend) throw Error(message.data(), {}, ErrorCode::unsupported);
  return {std::move(backend), description.data()};
}

}  // namespace graft
