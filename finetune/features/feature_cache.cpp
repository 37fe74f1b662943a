#include "finetune/features/feature_cache.h"

#include <algorithm>
#include <cstring>

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
  Plan plan = compile_inference(trunk, batched, backend, threads);
  widths_.clear();
  row_ = 0;
  for (size_t o = 0; o < plan.output_count(); ++o) {
    widths_.push_back(static_cast<size_t>(plan.output(o).shape.elements()) / batch);
    row_ += widths_.back();
  }
  std::vector<SampleRef> order;
  for (uint64_t variant : variants)
    for (int64_t i = 0; i < source.size(); ++i) order.push_back({i, variant});
  data_.resize(order.size() * row_);
  std::map<int64_t, std::string> failed;
  const auto stream = source.stream(order, batch);
  size_t at = 0;
  for (SampleBatch loaded; stream->next(loaded); at += loaded.count) {
    plan.bind_input(0, loaded.pixels);
    plan.forward();
    for (size_t i = 0; i < loaded.count; ++i) {
      const SampleRef ref = order[at + i];
      if (!loaded.errors[i].empty()) {
        failed.emplace(ref.index, loaded.errors[i]);
        continue;
      }
      float* row = data_.data() + (at + i) * row_;
      rows_[{ref.index, ref.variant}] = at + i;
      for (size_t o = 0; o < widths_.size(); ++o) {
        std::memcpy(row, plan.output(o).as<float>() + i * widths_[o], widths_[o] * sizeof(float));
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
  const size_t row = rows_.at({sample.index, sample.variant});
  std::memcpy(to, data_.data() + row * row_ + offset, widths_[output] * sizeof(float));
}

}  // namespace graft
