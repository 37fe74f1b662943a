#include "apps/library/device.h"

#include <algorithm>
#include <iterator>

#include "runtime/core/api_boundary.h"

namespace graft {

OpenedDevice opened_device(const ComputeSettings& settings) {
  static const char* const kKnown[] = {"fp32", "tf32", "bf16", "fp16"};
  const std::string precision = settings.precision == "auto" ? "tf32" : settings.precision;
  if (std::find(std::begin(kKnown), std::end(kKnown), precision) == std::end(kKnown))
    throw Error("not a type that graft computes in", "use auto, fp32, tf32, bf16 or fp16")
        .about("dtype", settings.precision);
  return open_device({settings.device, precision});
}

const Backend& backend_for(const ComputeSettings& settings) {
  const Backend& backend = *opened_device(settings).backend;
  const std::string& precision = settings.precision;
  if (!backend.device() && precision != "auto" && precision != "fp32" && precision != "bf16")
    throw Error("the processor computes in fp32 or bf16", "use " + mention("dtype") + " fp32 or bf16")
        .about("dtype", settings.precision);
  return backend;
}

std::string precision_of(const ComputeSettings& settings, const Backend& backend) {
  if (backend.device()) return settings.precision == "auto" ? "tf32" : settings.precision;
  return backend.activations() == DType::bf16 ? "bf16" : "fp32";
}

std::unique_lock<std::recursive_mutex> exclusive_use(const Backend& backend) {
  static std::recursive_mutex device_in_use;
  return backend.device() ? std::unique_lock(device_in_use) : std::unique_lock<std::recursive_mutex>();
}

DeviceInfo device_info(const ComputeSettings& settings) {
  return at_api_boundary([&] {
    const OpenedDevice opened = opened_device(settings);
    backend_for(settings);
    return DeviceInfo{opened.description, opened.note};
  });
}

}  // namespace graft
