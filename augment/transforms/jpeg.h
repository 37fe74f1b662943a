#pragma once

#include "augment/pixels/jpeg_artefacts.h"
#include "augment/transforms/transform.h"

namespace graft::transforms {

class JpegArtefacts final : public Transform {
 public:
  static constexpr ComponentText kText{"jpeg", "the blocks and rings of a compressed file",
                                       "written as a JPEG of a quality in low…high and read again"};
  struct Options {
    int low = 40, high = 90;
    double probability = 0.5;
    void describe(SettingVisitor& visit) {
      visit("low", low, {.low = 1, .high = 100, .help = "the least quality, as libjpeg counts it"});
      visit("high", high, {.low = 1, .high = 100, .help = "the highest quality"});
      visit_probability(visit, probability);
    }
  };
  JpegArtefacts(const Options& o, const TransformContext&) : low_(o.low), high_(o.high) {
    check_range("low", low_, "high", high_);
  }
  void apply(WarpedImage& image, Random& random) const override {
    const int quality = low_ + static_cast<int>(random.below(static_cast<uint64_t>(high_ - low_ + 1)));
    image = WarpedImage(with_jpeg_artefacts(image.upright_pixels(), quality));
  }

 private:
  int low_, high_;
};

}  // namespace graft::transforms
