#include "runtime/plan/device.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <vector>

#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/plan/plugin.h"

namespace graft {
namespace {

constexpr const char* kDriver = "libcuda.so.1";
constexpr const char* kPlugin = "libgraft_cuda.so";

/// Beside the program in a build tree, in lib/ beside its bin/ where it is installed.
std::vector<std::string> plugin_places() {
  if (const char* set = std::getenv("GRAFT_CUDA_PLUGIN"); set && *set) return {set};
  std::error_code failed;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return {kPlugin};
  const auto folder = program.parent_path();
  return {folder / kPlugin, folder / "../lib" / kPlugin, folder / "../lib/graft" / kPlugin, kPlugin};
}

std::string last_failure() {
  const char* text = dlerror();
  return text ? text : "unknown reason";
}

/// Null where the library has no such function.
template <typename Function>
Function find(void* library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library, name));
}

/// The GPU's number in "cuda" or "cuda:N"; -1 where the name is another.
int gpu_number(const std::string& device) {
  if (device == "cuda") return 0;
  if (device.rfind("cuda:", 0) != 0 || device.size() == 5 || device.size() > 8) return -1;
  for (size_t i = 5; i < device.size(); ++i)
    if (device[i] < '0' || device[i] > '9') return -1;
  return std::atoi(device.c_str() + 5);
}

/// Throws Error with the reason where it cannot be opened.
OpenedDevice open_gpu(int number, const std::string& precision) {
  if (!dlopen(kDriver, RTLD_NOW | RTLD_GLOBAL)) throw Error("there is no NVIDIA driver (" + last_failure() + ")");
  void* plugin = nullptr;
  std::string reason;
  for (const std::string& place : plugin_places()) {
    if (place.find('/') != std::string::npos && !std::filesystem::exists(place)) continue;
    plugin = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (plugin) break;
    reason = last_failure();
  }
  if (!plugin)
    throw Error("the CUDA backend cannot be loaded (" +
                (reason.empty() ? std::string(kPlugin) + " was not found beside the program" : reason) + ")");
  cuda::PluginFunctions functions;
  functions.build_identity = find<decltype(functions.build_identity)>(plugin, "graft_cuda_build_identity");
  functions.open = find<decltype(functions.open)>(plugin, "graft_cuda_open");
  functions.close = find<decltype(functions.close)>(plugin, "graft_cuda_close");
  OpenedPlugin opened = open_plugin(functions, number, precision, cpu_backend());
  // Kept until the process ends, as the processor's backend is: plans refer to it, and when static objects are
  // destroyed CUDA's libraries, which it would call, may be gone already.
  return {opened.backend.release(), opened.description, {}, {}};
}

/// In the precision that is asked for where the processor has it.
OpenedDevice open_processor(const std::string& precision) {
  if (precision != "bf16") return {&cpu_backend(), "processor", {}, {}};
  if (const Backend* bf16 = bf16_cpu_backend()) return {bf16, "processor, in bfloat16", {}, {}};
  return {&cpu_backend(), "processor",
          "bf16: this processor does not multiply bfloat16 numbers (AVX-512 BF16), or ONEDNN_MAX_CPU_ISA forbids it; "
          "computing "
          "in fp32",
          "dtype"};
}

}  // namespace

OpenedDevice open_device(const DeviceChoice& choice) {
  const OpenedDevice processor = open_processor(choice.precision);
  if (choice.device == "cpu" || choice.device == "auto") return processor;
  const int number = gpu_number(choice.device);
  if (number < 0)
    throw Error(choice.device + ": no such device", "use auto, cpu, cuda or cuda:N", ErrorCode::not_found)
        .about("device");
  static std::mutex mutex;
  static std::map<std::pair<int, std::string>, OpenedDevice> opened;
  const std::lock_guard lock(mutex);
  auto& known = opened[{number, choice.precision}];
  if (known.backend) return known;
  try {
    known = open_gpu(number, choice.precision);
    return known;
  } catch (const Error& error) {
    OpenedDevice instead = processor;
    instead.note = choice.device + ": " + error.what() + "; computing on the processor" +
                   (instead.note.empty() ? "" : "; " + instead.note);
    instead.note_about = "device";
    return instead;
  }
}

}  // namespace graft
