#pragma once

#include "augment/transforms/policy.h"

namespace graft::transforms {

class TrivialAugment final : public Transform {
 public:
  static constexpr ComponentText kText{
      "trivialaugment", "one of fourteen operations (movements, colours, contrast), of any strength",
      "torchvision's TrivialAugmentWide: strength k/30, k uniform in 0…30  [Müller & Hutter 2021]"};
  struct Options {
    double probability = 1;
    void describe(SettingVisitor& visit) { visit_probability(visit, probability); }
  };
  TrivialAugment(const Options&, const TransformContext& c) : sampling_(c.sampling) {}
  void apply(WarpedImage& image, Random& random) const override {
    constexpr Policy kWide{
        .shear = 0.99, .degrees = 135, .tone = 0.99, .translate_part = 0, .translate_pixels = 32, .posterize_bits = 6};
    const uint64_t operation = random.below(Policy::kOperations);
    kWide.apply(image, operation, static_cast<double>(random.below(31)) / 30, sampling_, random);
  }

 private:
  Sampling sampling_;
};

}  // namespace graft::transforms
