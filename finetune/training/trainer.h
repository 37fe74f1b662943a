#pragma once

#include <functional>
#include <string>
#include <vector>

#include "finetune/data/sample_source.h"
#include "finetune/features/feature_cache.h"
#include "finetune/metrics/metrics.h"
#include "finetune/training/train_options.h"
#include "graft/report.h"
#include "runtime/passes/passes.h"
#include "runtime/plan/plan.h"

namespace graft {

/// What a run tells while it goes. All functions may be empty.
struct TrainListener {
  std::function<void(const std::string& phase, int64_t done, int64_t total)> progress;
  std::function<void(const EpochReport&)> epoch;
  std::function<bool(double rate, double loss)> batch;  // after each batch; false ends the run
  std::function<void(const std::string& text)> note;
  std::function<void(const EpochReport&)> best;  // an epoch is the best so far; the graph holds its weights now

  std::function<bool()> stopped;  // asked in passes over pictures before the training

  /// How far such a pass has come. Throws Error (cancelled) where it is stopped.
  void pass(const std::string& phase, int64_t done, int64_t total) const;
};

struct TrainResult {
  std::vector<EpochReport> history;
  int best_epoch = 0;
  double best_val_score = 0;
  bool features_cached = false;
  bool stopped_early = false;
  std::string diverged;  // where the loss was no number any more
  size_t training_arena_bytes = 0;
  std::vector<std::string> skipped;  // samples that could not be read, with the reason
  double seconds = 0;                // of this run, without what a resumed run did before
};

/// Throws Error where a training diverged: for those that compare trainings.
void require_finite(const TrainResult& result);

/// Results of the frozen part that were computed before a run: rows of samples that train() knows by these indices.
struct RunFeatures {
  FeatureRows training;                                       // in the variants below; the cache outlives the run
  FeatureRows validation;                                     // in variant 0; the same
  std::vector<int64_t> training_samples, validation_samples;  // ascending
  std::vector<uint64_t> training_variants{};                  // in turn; empty: 1 to CacheOptions::views
};

/// Trains the trainable values of `graph` (output 0: logits; further ones: logits of auxiliary heads, which only train)
/// and leaves those of the best validation epoch in it. `head` names the values that train at the full rate; all others
/// at trunk_lr_scale of it. The part that nothing trainable reaches is evaluated, never differentiated; when its
/// results fit in memory it is evaluated once for each view, unless `features` holds them already: `graph` may then be
/// what is behind that part alone, in the form that split_frozen gives.
TrainResult train(Graph& graph, const std::vector<std::string>& head, const SampleSource& training,
                  const SampleSource& validation, int classes, const TrainOptions& options,
                  const TrainListener& listener, const Backend& backend, const RunFeatures* features = nullptr);

}  // namespace graft
