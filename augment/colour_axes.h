#pragma once

#include <functional>
#include <string>
#include <vector>

#include "augment/transforms/transform.h"

namespace graft {

/// Principal axes of the RGB values of these pictures: S = 1/(n-1) Σ (x-x̄)(x-x̄)ᵀ over pixels in 0…1. At most `limit`
/// pictures, evenly spread, each seen at 64×64; unreadable ones are left out. Throws Error when none can be read.
ColourAxes measure_colour_axes(const std::vector<std::string>& paths, size_t limit = 500);

/// The same when it is first called, and what came of it afterwards. Throws Error then.
std::function<ColourAxes()> colour_axes_of(std::vector<std::string> paths, size_t limit = 500);

}  // namespace graft
