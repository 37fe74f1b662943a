#include "finetune/features/feature_cache.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "runtime/core/error.h"
#include "runtime/plan/row_plan.h"

namespace graft {

namespace {

Graph specialised_for_one(const Graph& trunk, OpenDims dims, const Backend& backend) {
  dims.batch = 1;
  return specialise(trunk, dims, backend);
}

}  // namespace

size_t features_per_sample(const Graph& trunk, const OpenDims& dims, const Backend& backend) {
  const Graph closed = specialised_for_one(trunk, dims, backend);
  size_t floats = 0;
  for (ValueId id : closed.outputs) floats += static_cast<size_t>(closed.value(id).shape.elements());
  return floats;
}

void FeatureCache::add_output(DType dtype, size_t width) {
  if (dtype != DType::f32) throw Error(std::string("the frozen part ends in ") + name_of(dtype) + ", not float32");
  widths_.push_back(width);
  row_ += width;
}

void FeatureCache::fill(const Graph& trunk, const OpenDims& dims, const Backend& backend, int threads,
                        const SampleSource& source, const std::vector<SampleRef>& order, size_t batch,
                        FeatureFiles* files, const std::function<void(int64_t)>& progress) {
  OpenDims batched = dims;
  batched.batch = static_cast<int64_t>(batch);
  widths_.clear();
  row_ = 0;
  std::optional<RowPlan> plan;
  if (files) {  // made when a row is missing
    const Graph closed = specialised_for_one(trunk, dims, backend);
    for (const ValueId id : closed.outputs)
      add_output(closed.value(id).dtype, static_cast<size_t>(closed.value(id).shape.elements()));
  } else {
    plan.emplace(trunk, batched, backend, threads);
    for (size_t o = 0; o < plan->output_count(); ++o) add_output(plan->dtype(o), plan->width(o));
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

  const std::unique_ptr<StoredFeatures> table = files ? files->open(trunk, batched, widths_) : nullptr;
  std::vector<std::optional<ContentKey>> keys;
  if (table) keys = source.content_keys(order);
  keys.resize(order.size());
  std::vector<size_t> missing;  // places in `order`
  for (size_t row = 0; row < order.size(); ++row)
    if (!keys[row] || !table->read(*keys[row], data_.data() + row * row_)) missing.push_back(row);
  if (missing.empty() && table && !(table->seconds_per_picture() > 0))  // some once more, to know how long they take
    for (size_t row = 0; row < std::min(batch, order.size()); ++row) {
      missing.push_back(row);
      keys[row].reset();  // it is kept already
    }
  const size_t found = order.size() - missing.size();
  if (found > 0) progress(static_cast<int64_t>(found));

  std::map<int64_t, std::string> failed;
  if (!missing.empty() && !plan) plan.emplace(trunk, batched, backend, threads);
  one_by_one_ = plan && plan->one_by_one();
  const auto start = std::chrono::steady_clock::now();
  for (size_t at = 0; at < missing.size();) {
    // A stream is of plain views, or of augmented ones.
    std::vector<SampleRef> part;
    for (size_t i = at; i < missing.size(); ++i) {
      const SampleRef& ref = order[missing[i]];
      if (!part.empty() && (ref.variant == 0) != (part[0].variant == 0)) break;
      part.push_back(ref);
    }
    const auto stream = source.stream(std::move(part), batch);
    for (SampleBatch loaded; stream->next(loaded); at += loaded.count) {
      plan->forward(loaded.pixels);
      for (size_t i = 0; i < loaded.count; ++i) {
        const size_t place = missing[at + i];
        if (!loaded.errors[i].empty()) {
          failed.emplace(order[place].index, loaded.errors[i]);
          continue;
        }
        float* const row = data_.data() + place * row_;
        float* to = row;
        for (size_t o = 0; o < widths_.size(); ++o) {
          std::memcpy(to, static_cast<const float*>(plan->output(o)) + i * widths_[o], widths_[o] * sizeof(float));
          to += widths_[o];
        }
        if (table) table->count_computed(1);
        if (keys[place] && source.is_unchanged(order[place])) table->add(*keys[place], row);
      }
      progress(static_cast<int64_t>(found + at + loaded.count));
    }
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  seconds_per_picture_ = missing.empty() ? 0 : taken.count() / static_cast<double>(missing.size());
  if (table && !missing.empty() && (missing.size() >= found || !(table->seconds_per_picture() > 0)))
    table->set_seconds_per_picture(seconds_per_picture_);
  if (table && missing.size() < found) seconds_per_picture_ = table->seconds_per_picture();
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
