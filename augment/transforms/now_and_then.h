#pragma once

#include <utility>

#include "augment/transforms/transform.h"

namespace graft::transforms {

/// A transform that is carried out as often as its probability says.
class NowAndThen final : public Transform {
 public:
  NowAndThen(TransformPtr transform, double probability)
      : transform_(std::move(transform)), probability_(static_cast<float>(probability)) {}
  void apply(WarpedImage& image, Random& random) const override {
    if (random.uniform() < probability_) transform_->apply(image, random);
  }
  /// Whether it happens is not known before: what it asks for cannot be relied on.
  std::optional<int64_t> least_side() const override {
    return transform_->least_side() ? std::optional<int64_t>(0) : std::nullopt;
  }

 private:
  TransformPtr transform_;
  float probability_;
};

}  // namespace graft::transforms
