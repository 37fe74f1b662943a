#pragma once

#include "augment/image.h"

namespace graft {

/// Antialiased bilinear resize of a part of the picture, equal to Pillow's Image.resize(..., BILINEAR, box) bit for bit: a
/// triangle filter as wide as the reduction, horizontal pass first, 8-bit intermediate, 22-bit fixed-point weights.
Image resize(const Image& image, Box box, int64_t width, int64_t height);

/// The whole picture so that its short side becomes `short_side`, the long side rounded down as torchvision does.
Image resize_short_side(const Image& image, int64_t short_side);

/// A part with whole-pixel corners.
Image crop(const Image& image, int64_t left, int64_t top, int64_t width, int64_t height);

}  // namespace graft
