#pragma once

#include <utility>
#include <vector>

#include "finetune/data/sample_source.h"

namespace graft {

/// Some samples of a source, in an order of their own; each keeps the augmented variants that it has there.
class SampleSubset final : public SampleSource {
 public:
  /// `source` outlives it.
  SampleSubset(const SampleSource& source, std::vector<int64_t> samples)
      : source_(source), samples_(std::move(samples)) {}
  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  int label(int64_t index) const override { return source_.label(of(index)); }
  std::span<const float> target(int64_t index) const override { return source_.target(of(index)); }
  float weight(int64_t index) const override { return source_.weight(of(index)); }
  std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override {
    return source_.stream(mapped(std::move(order)), batch);
  }
  std::unique_ptr<SampleStream> byte_stream(const std::vector<SampleRef>& order, size_t batch) const override {
    return source_.byte_stream(mapped(order), batch);
  }

 private:
  int64_t of(int64_t index) const { return samples_[static_cast<size_t>(index)]; }
  std::vector<SampleRef> mapped(std::vector<SampleRef> order) const {
    for (SampleRef& ref : order) ref.index = of(ref.index);
    return order;
  }
  const SampleSource& source_;
  std::vector<int64_t> samples_;
};

}  // namespace graft
