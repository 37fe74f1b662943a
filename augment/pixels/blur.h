#pragma once

#include "augment/pixels/image.h"

namespace graft {

/// Convolves rows, then columns, with a Gaussian of standard deviation `sigma` pixels, cut at 3σ; beyond the border
/// stands the picture's mirror image about the outer pixels, as in torchvision.
void blur(Image& image, double sigma);

}  // namespace graft
