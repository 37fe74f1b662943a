#include "finetune/features/feature_cache.h"

#include <algorithm>
#include <cstring>

#include "runtime/core/error.h"
#include "runtime/plan/row_plan.h"

namespace graft {

size_t features_per_sample(const Graph& trunk, const OpenDims& dims, const Backend& backend) {
  OpenDims one = dims;
  one.batch = 1;
  const Graph closed = specialise(trunk, one, backend);
  size_t floats = 0;
  for (ValueId id : closed.outputs) floats += static_cast<size_t>(closed.value(id).shape.elements());
  return floats;
}

void FeatureCache::fill(const Graph& trunk, const OpenDims& dims, const Backend& backend, int threads,
                        const SampleSource& source, const std::vector<uint64_t>& variants, size_t batch,
                        const std::function<void(int64_t)>& progress) {
  OpenDims batched = dims;
  batched.batch = static_cast<int64_t>(batch);
  RowPlan plan(trunk, batched, backend, threads);
  one_by_one_ = plan.one_by_one();
  widths_.clear();
  row_ = 0;
  for (size_t o = 0; o < plan.output_count(); ++o) {
    if (plan.dtype(o) != DType::f32)
      throw Error(std::string("the frozen part ends in ") + name_of(plan.dtype(o)) + ", not float32");
    widths_.push_back(plan.width(o));
    row_ += widths_.back();
  }
  variants_ = variants;
  source_size_ = source.size();
  std::vector<SampleRef> order;
  for (uint64_t variant : variants)
    for (int64_t i = 0; i < source.size(); ++i) order.push_back({i, variant});
  data_.resize(order.size() * row_);
  std::map<int64_t, std::string> failed;
  const auto stream = source.stream(order, batch);
  size_t at = 0;
  for (SampleBatch loaded; stream->next(loaded); at += loaded.count) {
    plan.forward(loaded.pixels);
    for (size_t i = 0; i < loaded.count; ++i) {
      const SampleRef ref = order[at + i];
      if (!loaded.errors[i].empty()) {
        failed.emplace(ref.index, loaded.errors[i]);
        continue;
      }
      float* row = data_.data() + (at + i) * row_;
      for (size_t o = 0; o < widths_.size(); ++o) {
        std::memcpy(row, static_cast<const float*>(plan.output(o)) + i * widths_[o], widths_[o] * sizeof(float));
        row += widths_[o];
      }
    }
    progress(static_cast<int64_t>(at + loaded.count));
  }
  samples_.clear();
  for (int64_t i = 0; i < source.size(); ++i)
    if (!failed.contains(i)) samples_.push_back(i);
  failures_.assign(failed.begin(), failed.end());
}

void FeatureCache::copy(size_t output, SampleRef sample, float* to) const {
  size_t offset = 0;
  for (size_t o = 0; o < output; ++o) offset += widths_[o];
  const auto variant = std::find(variants_.begin(), variants_.end(), sample.variant);
  if (variant == variants_.end() || sample.index < 0 || sample.index >= source_size_)
    throw Error("sample " + std::to_string(sample.index) + " was not cached in this variant");
  // Filled variant by variant, each in the samples' order.
  const auto row = static_cast<size_t>((variant - variants_.begin()) * source_size_ + sample.index);
  std::memcpy(to, data_.data() + row * row_ + offset, widths_[output] * sizeof(float));
}

}  // namespace graft
