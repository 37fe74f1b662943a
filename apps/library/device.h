#pragma once

#include "graft/device.h"
#include "runtime/core/backend.h"
#include "runtime/plan/device.h"

namespace graft {

/// Opens what the settings name, whatever it can compute in. Throws Error, about "device" or "dtype", for names that
/// mean nothing.
OpenedDevice opened_device(const ComputeSettings& settings);

/// The backend that the settings mean, which lives as long as the program. Throws Error as opened_device does, and
/// where the processor is to compute in what only a GPU can.
const Backend& backend_for(const ComputeSettings& settings);

}  // namespace graft
