#include "augment/transforms/transform.h"

namespace graft {
namespace {

/// No pixel moves: what reads them last does so the other way round.
class Flip final : public Transform {
 public:
  explicit Flip(bool Image::*way) : way_(way) {}
  bool looks_at_places() const override { return false; }
  Image apply(Image image, Random& random) const override {
    if (random.uniform() < 0.5f) image.*way_ = !(image.*way_);
    return image;
  }

 private:
  bool Image::*way_;
};

}  // namespace

TransformPtr make_flip() { return std::make_unique<Flip>(&Image::mirrored); }
TransformPtr make_vertical_flip() { return std::make_unique<Flip>(&Image::upside_down); }

}  // namespace graft
