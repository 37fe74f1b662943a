#pragma once

#include <cstdint>
#include <vector>

namespace graft {

/// A digit 0 to 9 as a hand might write it, light on dark, in the manner of the sets that LeNet-5 was made for: strokes
/// through displaced points, under random slant, turn, size, place, pen and noise. side × side × 3 bytes, all channels
/// alike; a function of its arguments alone.
std::vector<uint8_t> draw_digit(int digit, int side, uint64_t seed, uint64_t index);

}  // namespace graft
