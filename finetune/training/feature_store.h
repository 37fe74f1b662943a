#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "finetune/features/feature_cache.h"
#include "finetune/training/trainer.h"

namespace graft {

/// What frozen parts of a network make of a run's pictures, each computed once: a search for settings,
/// cross-validation and the run itself read the same rows.
class FeatureStore {
 public:
  /// `source`: the training pictures, `training` of them, then those that validate; outlives the store.
  /// `validation_views`: whether those are wanted in augmented variants too, as cross-validation of all pictures does.
  FeatureStore(const SampleSource& source, int64_t training, bool validation_views)
      : source_(source), training_(training), validation_views_(validation_views) {}

  const SampleSource& source() const { return source_; }
  int64_t training() const { return training_; }

  /// Announces a depth, by its name (the freeze policy), so that one pass over the pictures computes it along with the
  /// others: boundary values of a shallower frozen part lie on the way to those of a deeper one. `graph` is marked as
  /// for train(); graphs of all depths come from one. Returns why rows of this frozen part cannot be kept, or not
  /// beside those that are announced; empty where they can.
  std::string announce(const std::string& depth, const Graph& graph, const TrainOptions& options,
                       const Backend& backend);

  /// The rows at a depth, computed the first time, with those of all depths that were announced; in the variants 0 to
  /// CacheOptions::views. Throws Error where they cannot be kept.
  const FeatureRows& at(const std::string& depth, const Graph& graph, const TrainOptions& options,
                        const TrainListener& listener, const Backend& backend);
  /// Null where they were not computed.
  const FeatureRows* find(const std::string& depth) const;

  /// The readable training pictures (`all`: and those that validate).
  std::vector<int64_t> samples(const FeatureRows& rows, bool all) const;
  /// For train() on source(), the pictures that are to train and those that are to validate being as they are given.
  RunFeatures for_run(const FeatureRows& rows) const;

 private:
  struct Depth {
    Graph trunk;
    size_t bytes = 0;  // of its rows
    FeatureRows rows;  // of no cache: not computed yet
  };
  std::vector<SampleRef> wanted(const TrainOptions& options) const;

  const SampleSource& source_;
  int64_t training_;
  bool validation_views_;
  std::map<std::string, Depth> depths_;
  std::vector<std::unique_ptr<FeatureCache>> caches_;
};

/// A graph as train() takes it, its open sizes closed, cut where the first trained value enters.
FrozenSplit split_for_training(const Graph& graph, const TrainOptions& options, const Backend& backend);
FrozenSplit split_for_training(const Graph& graph, const OpenDims& dims, const Backend& backend);

}  // namespace graft
