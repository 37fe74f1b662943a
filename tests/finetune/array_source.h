#pragma once

#include "finetune/data/row_stream.h"
#include "models/pictures.h"

namespace graft {

/// Generated pictures as a trainer sees them, without files. Sample 0 can be made unreadable.
class ArraySource final : public SampleSource {
 public:
  ArraySource(const std::string& set, size_t classes, int per_class, int side, uint64_t seed, bool first_is_bad = false)
      : first_is_bad_(first_is_bad) {
    const auto kinds = picture_classes(set);
    for (int i = 0; i < per_class; ++i) {
      for (size_t c = 0; c < classes; ++c) {
        const auto bytes = draw_picture(kinds[c], side, seed, static_cast<uint64_t>(i));
        std::vector<float> pixels;
        for (uint8_t b : bytes) pixels.push_back((static_cast<float>(b) / 255 - 0.45f) / 0.25f);
        pictures_.push_back(std::move(pixels));
        labels_.push_back(static_cast<int>(c));
      }
    }
  }
  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  int label(int64_t index) const override { return labels_[static_cast<size_t>(index)]; }
  std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override {
    return std::make_unique<RowStream>(
        std::move(order), batch, pictures_.at(0).size(), [this](const SampleRef& ref, float* to) {
          const auto& picture = pictures_[static_cast<size_t>(ref.index)];
          std::copy(picture.begin(), picture.end(), to);
          return std::string(ref.index == 0 && first_is_bad_ ? "picture 0: is damaged" : "");
        });
  }

 private:
  bool first_is_bad_;
  std::vector<std::vector<float>> pictures_;
  std::vector<int> labels_;
};

}  // namespace graft
