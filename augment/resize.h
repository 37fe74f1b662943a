#pragma once

#include "augment/image.h"

namespace graft {

/// Antialiased bilinear resize of a part of the picture, equal to Pillow's Image.resize(..., BILINEAR, box) bit for
/// bit: a triangle filter as wide as the reduction, horizontal pass first, 8-bit intermediate, 22-bit fixed-point
/// weights.
Image resize(const Image& image, Box box, int64_t width, int64_t height);

/// The whole picture so that its short side becomes `short_side`, the long side rounded down as torchvision does, and
/// then as much larger as a crop of width × height needs it. In whole numbers: importer/embed_preprocessing.cpp does
/// the same inside a graph.
Image resize_to_fit(const Image& image, int64_t short_side, int64_t width, int64_t height);

/// A part with whole-pixel corners.
Image crop(const Image& image, int64_t left, int64_t top, int64_t width, int64_t height);

}  // namespace graft
