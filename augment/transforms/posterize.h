#pragma once

#include "augment/pixels/tone.h"
#include "augment/transforms/transform.h"

namespace graft::transforms {

class Posterize final : public Transform {
 public:
  static constexpr ComponentText kText{"posterize", "fewer levels of each colour", "keeps the upper bits of a value"};
  struct Options {
    int bits = 4;
    double probability = 0.5;
    void describe(SettingVisitor& visit) {
      visit("bits", bits, {.low = 1, .high = 8, .help = "how many are kept"});
      visit_probability(visit, probability);
    }
  };
  Posterize(const Options& o, const TransformContext&) : bits_(o.bits) {}
  void apply(WarpedImage& image, Random&) const override { posterize(image.pixels(), bits_); }
  std::optional<int64_t> least_side() const override { return {}; }

 private:
  int bits_;
};

}  // namespace graft::transforms
