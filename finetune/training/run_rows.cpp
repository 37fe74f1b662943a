#include "finetune/training/run_rows.h"

#include <algorithm>
#include <set>

#include "finetune/data/readable_classes.h"
#include "finetune/data/sampler.h"
#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"

namespace graft {

RunRows::RunRows(const SampleSource& training, const SampleSource& validation, const TrainOptions& options,
                 const Backend& backend, const RunFeatures* features, const TrainListener& listener,
                 std::function<void(const std::string&)> skip)
    : training_(training),
      validation_(validation),
      options_(options),
      backend_(backend),
      features_(features),
      listener_(listener),
      skip_(std::move(skip)) {}

void RunRows::prepare(const FrozenSplit& split, ValueId picture, const OpenDims& dims, const BatchMixing* mixing) {
  training_cache_ = validation_cache_ = {};
  const auto& read = split.rest.inputs;
  const bool pictures = std::find(read.begin(), read.end(), picture) != read.end();
  const bool can_cache = !split.trunk.outputs.empty() && !pictures && options_.cache.mode != CacheOptions::Mode::off;
  cached_ = features_ || (can_cache && fits(split, dims));
  if (!cached_) {
    prepare_streams(split, pictures, dims, mixing);
  } else {
    FeatureRows training, validation;
    if (features_)
      take_features(split.rest.inputs.size(), training, validation);
    else
      compute_features(split.trunk, dims, training, validation);
    if (options_.mixing.cutmix > 0)
      throw Error("CutMix pastes parts of pictures, and only the frozen part's results are at hand",
                  "use " + mention("mixup") + ", or set " + mention("cache") + " to off")
          .about("cutmix");
    const auto batch = static_cast<size_t>(options_.batch);
    training_feed_ = make_cached_feed(std::move(training), training_, batch, mixing);
    validation_feed_ = make_cached_feed(std::move(validation), validation_, batch);
  }
  if (training_samples_.empty())
    throw Error("none of the training pictures can be read", "check the files named above");
  if (validation_samples_.empty())
    throw Error("none of the validation pictures can be read", "check the files named above");
}

bool RunRows::fits(const FrozenSplit& split, const OpenDims& dims) const {
  const auto samples = static_cast<size_t>(training_.size()) * static_cast<size_t>(options_.cache.views) +
                       static_cast<size_t>(validation_.size());
  const size_t bytes = samples * features_per_sample(split.trunk, dims, backend_) * sizeof(float);
  if (options_.cache.mode == CacheOptions::Mode::on || bytes <= options_.cache.limit_bytes) return true;
  if (listener_.note)
    listener_.note("the frozen part's results would take " + mebibytes(bytes) +
                   " and are not cached; caching one view or freezing less makes them smaller");
  return false;
}

void RunRows::take_features(size_t boundaries, FeatureRows& training, FeatureRows& validation) {
  training = features_->training;
  validation = features_->validation;
  if (training.outputs.size() != boundaries || validation.outputs.size() != boundaries)
    throw Error("features of another frozen part were given", {}, ErrorCode::internal);
  training_samples_ = features_->training_samples;
  validation_samples_ = features_->validation_samples;
  cached_variants_ = features_->training_variants;
  if (cached_variants_.empty()) cached_variants_ = all_variants();
  for (const FeatureCache* cache : std::set<const FeatureCache*>{training.cache, validation.cache})
    for (const auto& [index, reason] : cache->failures()) skip_(reason);
}

void RunRows::compute_features(const Graph& trunk, const OpenDims& dims, FeatureRows& training,
                               FeatureRows& validation) {
  const auto views = static_cast<uint64_t>(options_.cache.views);
  fill(training_cache_, trunk, dims, training_, samples_in_variants(training_.size(), 1, views),
       "features of the training pictures");
  fill(validation_cache_, trunk, dims, validation_, samples_in_variants(validation_.size(), 0, 0),
       "features of the validation pictures");
  training_samples_ = training_cache_.samples();
  validation_samples_ = validation_cache_.samples();
  training = FeatureRows::all_of(training_cache_);
  validation = FeatureRows::all_of(validation_cache_);
  cached_variants_ = all_variants();
  std::vector<int64_t> all;
  for (int64_t i = 0; i < training_.size(); ++i) all.push_back(i);
  if (options_.task == Task::classes)
    check_readable_classes(training_, all, training_samples_, training_cache_.failures());
}

std::vector<uint64_t> RunRows::all_variants() const {
  std::vector<uint64_t> variants;
  for (int v = 1; v <= options_.cache.views; ++v) variants.push_back(static_cast<uint64_t>(v));
  return variants;
}

void RunRows::fill(FeatureCache& cache, const Graph& trunk, const OpenDims& dims, const SampleSource& source,
                   const std::vector<SampleRef>& order, const char* phase) {
  cache.fill(trunk, dims, backend_, options_.threads, source, order, static_cast<size_t>(options_.batch),
             options_.cache.files.get(),
             [&](int64_t done) { listener_.pass(phase, done, static_cast<int64_t>(order.size())); });
  for (const auto& [index, reason] : cache.failures()) skip_(reason);
}

void RunRows::prepare_streams(const FrozenSplit& split, bool pictures, const OpenDims& dims,
                              const BatchMixing* mixing) {
  training_samples_.clear();
  validation_samples_.clear();
  for (int64_t i = 0; i < training_.size(); ++i) training_samples_.push_back(i);
  for (int64_t i = 0; i < validation_.size(); ++i) validation_samples_.push_back(i);
  const auto batch = static_cast<size_t>(options_.batch);
  training_feed_ = make_streamed_feed(split.trunk, pictures, dims, backend_, options_.threads, training_, batch,
                                      streamed_failures_, mixing, FeedForms{true, !options_.supervision.teacher});
  validation_feed_ = make_streamed_feed(split.trunk, pictures, dims, backend_, options_.threads, validation_, batch,
                                        streamed_failures_);
}

std::vector<SampleRef> RunRows::validation_order() const {
  std::vector<SampleRef> refs;
  for (const int64_t index : validation_samples_) refs.push_back({index, 0});
  return refs;
}

std::vector<SampleRef> RunRows::training_order(uint64_t epoch) const {
  auto refs = epoch_samples(training_, training_samples_, options_.sampling.balanced, options_.seed, epoch);
  for (SampleRef& ref : refs)
    ref.variant =
        cached_ ? cached_variants_[(epoch + static_cast<uint64_t>(ref.index)) % cached_variants_.size()] : 1 + epoch;
  return refs;
}

std::vector<SampleRef> RunRows::all_views() const {
  std::vector<SampleRef> refs;
  for (const int64_t index : training_samples_)
    for (const uint64_t variant : cached_variants_) refs.push_back({index, variant});
  return refs;
}

void RunRows::tell_streamed_failures() {
  for (const std::string& reason : streamed_failures_) skip_(reason);
  streamed_failures_.clear();
}

}  // namespace graft
