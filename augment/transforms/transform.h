#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "augment/image.h"
#include "runtime/core/random.h"

namespace graft {

/// One step from a decoded picture towards the network's input. Random steps draw from the sample's own stream, which
/// is a function of (seed, epoch, sample) alone. Thread-safe: apply() changes nothing but the picture.
class Transform {
 public:
  virtual ~Transform() = default;
  virtual Image apply(Image image, Random& random) const = 0;
  /// False where it treats pixels alike wherever they are; others get pictures upright.
  virtual bool looks_at_places() const { return true; }
};
using TransformPtr = std::unique_ptr<Transform>;

/// Eigenvectors (columns, unit length) and eigenvalues, largest first, of the covariance of RGB values in 0…1.
struct ColourAxes {
  std::array<std::array<float, 3>, 3> vectors{};
  std::array<float, 3> values{};
};

/// The size that crops end in, and what the training set told.
struct TransformContext {
  int64_t height = 224, width = 224;
  int64_t short_side = 256;  // what evaluation resizes to
  ColourAxes colour_axes;
};

/// Horizontal or vertical mirror with probability 1/2.
TransformPtr make_flip();
TransformPtr make_vertical_flip();
/// Resize the short side to the context's, then cut at a random or the central place.
TransformPtr make_random_crop(const TransformContext& context);
TransformPtr make_center_crop(const TransformContext& context);
/// Short side drawn from [256, 480]·(crop/224), then a random crop [He et al. 2015; Simonyan & Zisserman 2014].
TransformPtr make_scale_crop(const TransformContext& context);
/// A random part of `smallest`…1 of the area with aspect 3/4…4/3, resized [Szegedy et al. 2014].
TransformPtr make_resized_crop(const TransformContext& context, float smallest);
/// Brightness, contrast, saturation by factors in [1-s, 1+s] and hue by ±h turns, in random order, as torchvision's.
TransformPtr make_colour_jitter(float brightness, float contrast, float saturation, float hue);
/// Adds [p1 p2 p3]·[α1λ1, α2λ2, α3λ3]ᵀ, α ~ N(0, σ), to every pixel [Krizhevsky et al. 2012].
TransformPtr make_pca_lighting(const ColourAxes& axes, float sigma);

/// Transforms by their names on the command line, with their defaults. Throws Error for an unknown name.
TransformPtr make_transform(const std::string& name, const TransformContext& context);
std::vector<std::string> transform_names();

}  // namespace graft
