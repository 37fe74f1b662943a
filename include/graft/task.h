#pragma once

#include <cstdint>

namespace graft {

/// What a picture is to be answered with: one class, a mark for each of several classes, or measured values.
enum class Task : uint8_t { classes, multi_label, regression };

}  // namespace graft
