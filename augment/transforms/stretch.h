#pragma once

#include "augment/transforms/movement.h"

namespace graft::transforms {

class Stretch final : public Movement {
 public:
  static constexpr ComponentText kText{"stretch", "width and height scaled about the centre, each by itself",
                                       "x *= a, y *= b; log a and log b in -log most…log most"};
  struct Options {
    double most = 1.25, probability = 1;
    void describe(SettingVisitor& visit) {
      visit("most", most, {.low = 1, .high = 10, .unit = "times", .help = "the largest factor; 1/most is the least"});
      visit_probability(visit, probability);
    }
  };
  Stretch(const Options& o, const TransformContext& c) : Movement(c), log_most_(std::log(o.most)) {}
  void apply(WarpedImage& image, Random& random) const override {
    const double x = std::exp(within(random, log_most_)), y = std::exp(within(random, log_most_));
    image.warp(Matrix3::scaling(1 / x, 1 / y).about(image.centre()), sampling_);
  }

  std::optional<int64_t> least_side() const override {
    // What enlarges so much shows what decoding at a part of the size has lost.
    return log_most_ > std::log(1.5) ? std::optional<int64_t>(0) : std::nullopt;
  }

 private:
  double log_most_;
};

}  // namespace graft::transforms
