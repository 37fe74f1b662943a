#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace graft {

/// Pictures that graft draws itself: a figure with a textured filling on a shaded, noisy ground, under varied pose,
/// colour and light. The `pretrain` classes are what the bundled model learned; the `demo` classes are figures it never
/// saw.
struct PictureClass {
  std::string name;
  int figure = 0;
  int texture = 0;  // -1: any
};
inline constexpr int kFirstDigit = 100;  // figures from here on are the handwritten digits 0 to 9 (digits.h)

std::vector<PictureClass> picture_classes(
    const std::string& set);  // "pretrain", "demo" or "digits"; throws Error otherwise

/// side × side × 3 bytes of RGB; a function of (class, side, seed, index) alone.
std::vector<uint8_t> draw_picture(const PictureClass& picture_class, int side, uint64_t seed, uint64_t index);

}  // namespace graft
