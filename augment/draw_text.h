#pragma once

#include <string>

#include "augment/pixels/image.h"

namespace graft {

/// Height in pixels of a line of draw_text().
inline constexpr int64_t kTextLine = 14;

/// Draws a line of black text, its upper left corner at (left, top). What is not ASCII becomes a question mark; what
/// does not fit into `width` pixels is cut.
void draw_text(Image& image, const std::string& text, int64_t left, int64_t top, int64_t width);

}  // namespace graft
