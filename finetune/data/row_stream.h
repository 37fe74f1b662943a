#pragma once

#include <functional>
#include <utility>

#include "finetune/data/sample_source.h"

namespace graft {

/// A stream of samples that are rows of numbers in memory already: `copy` writes one (`floats` of them) and returns why
/// it could not, or nothing. What `copy` refers to must outlive the stream.
class RowStream final : public SampleStream {
 public:
  using Copy = std::function<std::string(const SampleRef&, float* to)>;
  RowStream(std::vector<SampleRef> order, size_t batch, size_t floats, Copy copy)
      : order_(std::move(order)), floats_(floats), copy_(std::move(copy)), rows_(batch * floats), errors_(batch) {}

  bool next(SampleBatch& batch) override {
    if (at_ >= order_.size()) return false;
    size_t count = 0;
    for (; count < errors_.size() && at_ < order_.size(); ++count, ++at_)
      errors_[count] = copy_(order_[at_], rows_.data() + count * floats_);
    batch = {rows_.data(), count, floats_, errors_};
    return true;
  }

 private:
  std::vector<SampleRef> order_;
  size_t floats_, at_ = 0;
  Copy copy_;
  std::vector<float> rows_;
  std::vector<std::string> errors_;
};

}  // namespace graft
