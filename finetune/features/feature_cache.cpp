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
                        const SampleSource& source, const std::vector<SampleRef>& order, size_t batch,
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
  variants_.clear();
  samples_end_ = 0;
  for (const SampleRef& ref : order) {
    if (std::find(variants_.begin(), variants_.end(), ref.variant) == variants_.end()) variants_.push_back(ref.variant);
    samples_end_ = std::max(samples_end_, ref.index + 1);
  }
  rows_.assign(variants_.size() * static_cast<size_t>(samples_end_), -1);
  for (size_t row = 0; row < order.size(); ++row) rows_[*place_of(order[row])] = static_cast<int64_t>(row);
  data_.resize(order.size() * row_);
  std::map<int64_t, std::string> failed;
  size_t at = 0;
  while (at < order.size()) {
    // A stream is of plain views, or of augmented ones.
    const auto begin = order.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = std::find_if(begin, order.end(),
                                  [&](const SampleRef& ref) { return (ref.variant == 0) != (begin->variant == 0); });
    const auto stream = source.stream({begin, end}, batch);
    for (SampleBatch loaded; stream->next(loaded); at += loaded.count) {
      plan.forward(loaded.pixels);
      for (size_t i = 0; i < loaded.count; ++i) {
        if (!loaded.errors[i].empty()) {
          failed.emplace(order[at + i].index, loaded.errors[i]);
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
  }
  samples_.clear();
  for (int64_t i = 0; i < samples_end_; ++i) {
    bool is_there = false;
    for (size_t v = 0; v < variants_.size(); ++v) is_there = is_there || rows_[*place_of({i, variants_[v]})] >= 0;
    if (is_there && !failed.contains(i)) samples_.push_back(i);
  }
  failures_.assign(failed.begin(), failed.end());
}

void FeatureCache::copy(size_t output, SampleRef sample, float* to) const {
  size_t offset = 0;
  for (size_t o = 0; o < output; ++o) offset += widths_[o];
  const auto place = place_of(sample);
  if (!place || rows_[*place] < 0)
    throw Error("sample " + std::to_string(sample.index) + " was not cached in this variant");
  std::memcpy(to, data_.data() + static_cast<size_t>(rows_[*place]) * row_ + offset, widths_[output] * sizeof(float));
}

bool FeatureCache::has(SampleRef sample) const {
  const auto place = place_of(sample);
  return place && rows_[*place] >= 0 && std::binary_search(samples_.begin(), samples_.end(), sample.index);
}

std::optional<size_t> FeatureCache::place_of(SampleRef sample) const {
  const auto variant = std::find(variants_.begin(), variants_.end(), sample.variant);
  if (variant == variants_.end() || sample.index < 0 || sample.index >= samples_end_) return std::nullopt;
  return static_cast<size_t>((variant - variants_.begin()) * samples_end_ + sample.index);
}

std::vector<SampleRef> samples_in_variants(int64_t count, uint64_t first, uint64_t last) {
  std::vector<SampleRef> order;
  for (uint64_t variant = first; variant <= last; ++variant)
    for (int64_t i = 0; i < count; ++i) order.push_back({i, variant});
  return order;
}

}  // namespace graft
