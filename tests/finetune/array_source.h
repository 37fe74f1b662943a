#pragma once

#include "finetune/sample_source.h"
#include "models/pictures.h"

namespace graft {

/// Generated pictures as a trainer sees them, without files. Sample 0 can be made unreadable.
class ArraySource final : public SampleSource {
 public:
  ArraySource(const std::string& set, size_t classes, int per_class, int side, uint64_t seed, bool first_is_bad = false) : side_(side), first_is_bad_(first_is_bad) {
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
  std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override { return std::make_unique<Stream>(*this, std::move(order), batch); }

 private:
  class Stream final : public SampleStream {
   public:
    Stream(const ArraySource& source, std::vector<SampleRef> order, size_t batch) : source_(source), order_(std::move(order)), batch_(batch) {}
    bool next(SampleBatch& batch) override {
      if (at_ >= order_.size()) return false;
      const auto floats = static_cast<size_t>(source_.side_ * source_.side_ * 3);
      pixels_.assign(batch_ * floats, 0);
      errors_.assign(batch_, "");
      size_t count = 0;
      for (; count < batch_ && at_ < order_.size(); ++count, ++at_) {
        const auto index = static_cast<size_t>(order_[at_].index);
        std::copy(source_.pictures_[index].begin(), source_.pictures_[index].end(), pixels_.begin() + static_cast<int64_t>(count * floats));
        if (index == 0 && source_.first_is_bad_) errors_[count] = "picture 0: is damaged";
      }
      batch = {pixels_.data(), count, floats, errors_};
      return true;
    }

   private:
    const ArraySource& source_;
    std::vector<SampleRef> order_;
    size_t batch_, at_ = 0;
    std::vector<float> pixels_;
    std::vector<std::string> errors_;
  };
  int side_;
  bool first_is_bad_;
  std::vector<std::vector<float>> pictures_;
  std::vector<int> labels_;
};

}  // namespace graft
