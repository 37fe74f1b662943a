#pragma once

#include <functional>
#include <string>
#include <vector>

#include "finetune/data/batch_mixing.h"
#include "finetune/data/sample_source.h"
#include "finetune/data/task.h"
#include "finetune/heads/freeze.h"
#include "finetune/losses/loss.h"
#include "finetune/metrics/metrics.h"
#include "finetune/optimizers/optimizer.h"
#include "finetune/schedules/schedule.h"
#include "runtime/passes/passes.h"
#include "runtime/plan/plan.h"

namespace graft {

struct CacheOptions {
  enum class Mode { automatic, off, on };
  Mode mode = Mode::automatic;
  int views = 2;                         // augmented variants of each picture that are cached
  size_t limit_bytes = size_t{4} << 30;  // automatic: larger caches are not made
};

/// Gradual unfreezing [Howard & Ruder 2018]: the head alone for `every` epochs, then with `layers` more layers below it
/// each time as many epochs have passed. What is marked as trainable beforehand does not count.
struct UnfreezeOptions {
  int every = 0;  // 0: off
  int layers = 1;
  BatchNormPolicy batch_norm = BatchNormPolicy::automatic;
};

struct TrainOptions {
  Task task = Task::classes;
  int64_t height = 224, width = 224;
  int64_t batch = 32;
  int epochs = 10;
  float lr = 0;  // 0: the optimizer's own
  float trunk_lr_scale = 0.1f;
  float layer_decay =
      1;  // each layer below the head trains at this part of the rate of the one above it [Howard & Ruder 2018]
  float weight_decay = -1;  // below 0: the optimizer's own
  float l1 = 0;
  bool decay_vectors = true;            // weight decay and L1 on biases and norms too
  int64_t accumulate = 1;               // batches an update
  float clip_norm = 0, clip_value = 0;  // of the gradient; 0: off
  float average = 0;                    // decay of the weights' moving average; 0: none
  float sharpness = 0;                  // ρ of sharpness-aware minimisation; 0: off. Not with `accumulate`
  MixingOptions mixing;
  bool balanced = false;     // draws classes evenly, pictures of small ones more often
  bool recalibrate = false;  // at the end, statistics of trained batch norms anew: their mean over all training batches
  int patience = 0;          // stops after so many epochs without progress; 0: never
  std::string loss = "cross-entropy", optimizer = "momentum", schedule = "cosine";
  LossOptions loss_options;
  OptimizerOptions optimizer_options;
  ScheduleOptions schedule_options;      // its `epochs` are those of the run
  std::shared_ptr<const Graph> teacher;  // distillation: scores the same pictures
  std::vector<float> class_weights;
  float auxiliary_weight = 0.3f;  // of the loss at each output after the first [Szegedy et al. 2015]
  CacheOptions cache;
  UnfreezeOptions unfreezing;
  uint64_t seed = 0;
  int threads = 0;
  MemoryLimit memory;      // of a training step
  std::string checkpoint;  // path; empty: none is kept
  bool resume = false;
  std::string fingerprint;  // what must be the same for a resume
};

struct EpochReport {
  int epoch = 0;  // from 1
  double train_loss = 0, val_loss = 0, val_score = 0, val_second = 0, lr = 0, seconds = 0;
};

/// What a run tells while it goes. All functions may be empty.
struct TrainListener {
  std::function<void(const std::string& phase, int64_t done, int64_t total)> progress;
  std::function<void(const EpochReport&)> epoch;
  std::function<bool(double rate, double loss)> batch;  // after each batch; false ends the run
  std::function<void(const std::string& text)> note;
};

struct TrainResult {
  std::vector<EpochReport> history;
  int best_epoch = 0;
  double best_val_score = 0;
  bool features_cached = false;
  bool stopped_early = false;
  size_t training_arena_bytes = 0;
  std::vector<std::string> skipped;  // samples that could not be read, with the reason
  double seconds = 0;                // of this run, without what a resumed run did before
};

/// Trains the trainable values of `graph` (output 0: logits; further ones: logits of auxiliary heads, which only train)
/// and leaves those of the best validation epoch in it. `head` names the values that train at the full rate; all others
/// at trunk_lr_scale of it. The part that nothing trainable reaches is evaluated, never differentiated; when its
/// results fit in memory it is evaluated once for each view.
TrainResult train(Graph& graph, const std::vector<std::string>& head, const SampleSource& training,
                  const SampleSource& validation, int classes, const TrainOptions& options,
                  const TrainListener& listener, const Backend& backend);

}  // namespace graft
