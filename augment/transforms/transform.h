#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "augment/pixels/warped_image.h"
#include "graft/preprocessing.h"
#include "runtime/core/component.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft {

/// One step from a decoded picture towards the network's input. Random steps draw from the sample's own stream, which
/// is a function of (seed, epoch, sample) alone. Thread-safe: apply() changes nothing but the picture.
class Transform {
 public:
  virtual ~Transform() = default;
  virtual void apply(WarpedImage& image, Random& random) const = 0;
  /// The shorter side that a picture must have so that more pixels would change the result little; 0: every one counts;
  /// none: the transforms after this one know.
  virtual std::optional<int64_t> least_side() const { return 0; }
  /// Whether the picture has the crop's size afterwards, whatever it had before.
  virtual bool crops() const { return false; }
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
  Sampling sampling;         // its fill stands beside a letterboxed picture too
  Fit fit = Fit::crop;
  bool always_resize = false;                 // also what has the crop's size
  std::function<ColourAxes()> colour_axes{};  // called by transforms that need them; none: nothing varies
};

/// What every transform that happens now and then has among its options, as `probability`.
inline void visit_probability(SettingVisitor& visit, double& probability) {
  visit("probability", probability, {.low = 0, .high = 1, .help = "how often it happens"});
}

/// Throws Error where a range that is set has its ends the wrong way round.
template <typename Number>
void check_range(const char* low_name, Number low, const char* high_name, Number high) {
  if (low > high) throw Error(std::string(low_name) + " is larger than " + high_name, "exchange them").about(low_name);
}

/// By its name and what is set of it. Every transform that has "probability" is left out as often as that says. Throws
/// Error for an unknown one.
TransformPtr make_transform(const Choice& transform, const TransformContext& context);
/// Every transform, in alphabetical order.
const std::vector<ComponentInfo>& transform_components();
std::vector<std::string> transform_names();

}  // namespace graft
