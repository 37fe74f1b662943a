#pragma once

#include "augment/pixels/image.h"
#include "graft/preprocessing.h"

namespace graft {

/// Resizes a part of the picture, as Pillow's Image.resize(…, box) bit for bit. All but `nearest` are antialiased: the
/// filter is as wide as the reduction, horizontal pass first, 8-bit intermediate, 22-bit fixed-point weights.
Image resize(const Image& image, Box box, int64_t width, int64_t height,
             Interpolation interpolation = Interpolation::bilinear);

/// The whole picture at width × height, each pixel the mean of what it covers: Pillow's BOX filter. For reducing.
Image averaged(const Image& image, int64_t width, int64_t height);

/// What stands in `window` after resizing: the same pixels as resizing all of it and cutting, but no others are
/// computed.
Image resize_window(const Image& image, Box box, int64_t width, int64_t height, const Window& window,
                    Interpolation interpolation);
/// The same of a picture of which a part was decoded; `box` is in pixels of all of it, and the part must hold what
/// pixels_for_window() says.
Image resize_window(const ImagePart& part, Box box, int64_t width, int64_t height, const Window& window,
                    Interpolation interpolation);

/// The pixels that resize_window() reads, or a few more, of a picture of any size.
Box pixels_for_window(Box box, int64_t width, int64_t height, const Window& window, Interpolation interpolation);

struct Size {
  int64_t width = 0, height = 0;
};

/// The size in a picture's own proportions whose short side is `short_side`, the long side rounded down as torchvision
/// does, and then as much larger as a crop of width × height needs it. In whole numbers:
/// importer/embed_preprocessing.cpp does the same inside a graph.
Size fitting_size(int64_t own_width, int64_t own_height, int64_t short_side, int64_t width, int64_t height);

}  // namespace graft
