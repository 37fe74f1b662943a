#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "finetune/data/batch_mixing.h"
#include "finetune/training/feed.h"
#include "finetune/training/trainer.h"
#include "runtime/passes/passes.h"

namespace graft {

/// Where the rows of a run come from: the results of its frozen part, kept in memory or computed for each batch, and
/// the feeds that bring them to the part that trains.
class RunRows {
 public:
  /// Everything given outlives the rows. `features`: computed before the run; null where there are none. `skip`
  /// is told of pictures that cannot be read.
  RunRows(const SampleSource& training, const SampleSource& validation, const TrainOptions& options,
          const Backend& backend, const RunFeatures* features, const TrainListener& listener,
          std::function<void(const std::string&)> skip);

  /// Makes them for another frozen part: `split` of a graph that reads pictures from its value `picture`. Throws Error
  /// where no picture of a part can be read, or where features and options do not go together.
  void prepare(const FrozenSplit& split, ValueId picture, const OpenDims& dims, const BatchMixing* mixing);

  bool cached() const { return cached_; }
  Feed& training_feed() { return *training_feed_; }
  Feed& validation_feed() { return *validation_feed_; }
  /// Of those that can be read, as far as that is known; ascending.
  const std::vector<int64_t>& training_samples() const { return training_samples_; }
  /// Of the validation, in their plain view.
  std::vector<SampleRef> validation_order() const;
  /// The training pictures of an epoch, shuffled, each in the variant whose turn it is.
  std::vector<SampleRef> training_order(uint64_t epoch) const;
  /// All cached views of all training pictures, the same ones each time.
  std::vector<SampleRef> all_views() const;
  /// Tells of the pictures that streams could not read since the last call.
  void tell_streamed_failures();

 private:
  bool fits(const FrozenSplit& split, const OpenDims& dims) const;
  void fill(FeatureCache& cache, const Graph& trunk, const OpenDims& dims, const SampleSource& source,
            const std::vector<SampleRef>& order, const char* phase);
  std::vector<uint64_t> all_variants() const;
  void take_features(size_t boundaries, FeatureRows& training, FeatureRows& validation);
  void compute_features(const Graph& trunk, const OpenDims& dims, FeatureRows& training, FeatureRows& validation);
  void prepare_streams(const FrozenSplit& split, bool pictures, const OpenDims& dims, const BatchMixing* mixing);

  const SampleSource &training_, &validation_;
  const TrainOptions& options_;
  const Backend& backend_;
  const RunFeatures* features_;
  const TrainListener& listener_;
  std::function<void(const std::string&)> skip_;
  bool cached_ = false;
  FeatureCache training_cache_, validation_cache_;
  std::vector<int64_t> training_samples_, validation_samples_;
  std::vector<uint64_t> cached_variants_;  // of the training samples, in turn
  std::vector<std::string> streamed_failures_;
  std::unique_ptr<Feed> training_feed_, validation_feed_;
};

}  // namespace graft
