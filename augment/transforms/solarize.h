#pragma once

#include "augment/pixels/tone.h"
#include "augment/transforms/transform.h"

namespace graft::transforms {

class Solarize final : public Transform {
 public:
  static constexpr ComponentText kText{"solarize", "bright values inverted", "v ← 255 - v where v ≥ threshold"};
  struct Options {
    int threshold = 128;
    double probability = 0.5;
    void describe(SettingVisitor& visit) {
      visit("threshold", threshold, {.low = 0, .high = 256, .help = "from here on"});
      visit_probability(visit, probability);
    }
  };
  Solarize(const Options& o, const TransformContext&) : threshold_(o.threshold) {}
  void apply(WarpedImage& image, Random&) const override { solarize(image.pixels(), threshold_); }
  std::optional<int64_t> least_side() const override { return {}; }

 private:
  int threshold_;
};

}  // namespace graft::transforms
