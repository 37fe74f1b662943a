#pragma once

#include <mutex>
#include <string>

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

/// What the settings' activations are computed in where this backend serves them: fp32, tf32, bf16 or fp16.
std::string precision_of(const ComputeSettings& settings, const Backend& backend);

/// Held by whoever computes on a device with a memory of its own, which has one stream and one set of handles: calls in
/// several threads take turns. Nothing for the processor. One thread may hold it several times.
std::unique_lock<std::recursive_mutex> exclusive_use(const Backend& backend);

}  // namespace graft
