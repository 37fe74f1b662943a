#pragma once

#include <string>

#include "runtime/core/backend.h"

namespace graft {

/// Where a graph is computed, as the command line names it.
struct DeviceChoice {
  /// cpu; cuda or cuda:N; auto: the processor, as long as no GPU has run the CUDA backend's tests
  /// (docs/decisions/0012).
  std::string device = "auto";
  /// On a GPU: fp32, tf32 (float products rounded for tensor cores), bf16, fp16 (activations). The processor computes
  /// in bf16, or else in fp32.
  std::string precision = "tf32";
};

struct OpenedDevice {
  const Backend* backend = nullptr;  // lives as long as the program
  std::string description;           // what it is: "processor", or GPU, driver and library versions
  std::string note;        // not empty where something else was opened than was asked for: one line that says why
  std::string note_about;  // what the note is about: "device" or "dtype"
};

/// Opens a device. The CUDA backend is a library beside the program (or where GRAFT_CUDA_PLUGIN says) that is loaded
/// when there is a driver; where there is none, or it does not start, the processor serves in its place. Throws Error
/// for a name that means nothing.
OpenedDevice open_device(const DeviceChoice& choice);

}  // namespace graft
