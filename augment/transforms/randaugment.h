#pragma once

#include "augment/transforms/policy.h"

namespace graft::transforms {

class RandAugment final : public Transform {
 public:
  static constexpr ComponentText kText{
      "randaugment", "several of fourteen operations (movements, colours, contrast), all of one strength",
      "torchvision's operations and ranges at magnitude/30 of each  [Cubuk et al. 2020]"};
  struct Options {
    int operations = 2, magnitude = 9;
    double probability = 1;
    void describe(SettingVisitor& visit) {
      visit("operations", operations, {.low = 1, .high = 14, .help = "how many, one after the other"});
      visit("magnitude", magnitude, {.low = 0, .high = 30, .help = "how strong"});
      visit_probability(visit, probability);
    }
  };
  RandAugment(const Options& o, const TransformContext& c) : options_(o), sampling_(c.sampling) {}
  void apply(WarpedImage& image, Random& random) const override {
    for (int i = 0; i < options_.operations; ++i)
      Policy{}.apply(image, random.below(Policy::kOperations), options_.magnitude / 30.0, sampling_, random);
  }

 private:
  Options options_;
  Sampling sampling_;
};

}  // namespace graft::transforms
