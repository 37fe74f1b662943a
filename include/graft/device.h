#pragma once

#include <cstdint>
#include <string>

namespace graft {

/// Where and how it is computed.
struct ComputeSettings {
  std::string device = "auto";     // auto | cpu | cuda:N; where there is no such GPU the processor serves in its place
  std::string precision = "auto";  // auto | fp32 | bf16; on a GPU also tf32, fp16
  int threads = 0;                 // of the processor; 0: one a core
  int64_t batch = 0;               // pictures computed at once; 0: 32
  /// "disk-cache": folder where fine-tuning and feature extraction look for features of pictures before they compute
  /// them, and keep them; empty: nowhere. Any number of programs may share it.
  std::string feature_folder{};
  uint64_t feature_folder_bytes = uint64_t{4} << 30;  // that it may take: what was not used for longest goes
};

/// What serves the settings.
struct DeviceInfo {
  std::string description;  // "processor", or GPU, driver and library versions
  std::string note;  // not empty where something else serves than was asked for: one line that says what, and why
};

/// Opens the device, which stays open as long as the program; may be called from several threads. Throws Error:
/// not_found, about "device", for a name that means nothing; invalid_argument, about "dtype", for a precision that the
/// device does not compute in.
DeviceInfo device_info(const ComputeSettings& settings);

}  // namespace graft
