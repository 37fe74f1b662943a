#pragma once

#include <memory>
#include <string>
#include <vector>

#include "finetune/data/batch_mixing.h"
#include "finetune/data/task.h"
#include "finetune/features/feature_files.h"
#include "finetune/heads/freeze.h"
#include "finetune/losses/loss.h"
#include "finetune/optimizers/optimizer.h"
#include "finetune/schedules/schedule.h"
#include "runtime/core/settings.h"
#include "runtime/plan/plan.h"

namespace graft {

/// How long a run lasts.
struct LengthOptions {
  int epochs = 10;
  int patience = 0;
  void describe(SettingVisitor& visit) {
    visit("epochs", epochs, {.low = 1, .high = 100000, .unit = "epochs", .help = "passes over the training pictures"});
    visit("patience", patience,
          {.low = 0, .high = 100000, .unit = "epochs", .help = "stop after so long without progress (0: never)"});
  }
};

/// Learning rates: of the head, and of what lies below it [Howard & Ruder 2018, discriminative rates].
struct RateOptions {
  float lr = 0;
  float trunk_scale = 0.1f;
  float layer_decay = 1;
  void describe(SettingVisitor& visit) {
    visit("lr", lr, {.low = 0, .high = 1000, .help = "learning rate of the head (0: the optimizer's own)"});
    visit("trunk-lr-scale", trunk_scale, {.low = 0, .high = 100, .help = "rate of the trunk, as a part of the head's"});
    visit("layer-decay", layer_decay,
          {.low = 0, .high = 1, .help = "rate of each trunk layer, as a part of the one's above"});
  }
};

/// Penalties on trained weights.
struct RegularisationOptions {
  float weight_decay = -1;
  float l1 = 0;
  bool spare_vectors = false;
  void describe(SettingVisitor& visit) {
    visit("weight-decay", weight_decay, {.low = -1, .high = 10, .help = "L2 (below 0: the optimizer's own)"});
    visit("l1", l1, {.low = 0, .high = 10, .help = "L1"});
    visit("no-decay-vectors", spare_vectors, {.help = "no weight decay and L1 on biases and norms"});
  }
};

/// What happens to gradients before the update.
struct GradientOptions {
  int64_t accumulate = 1;
  float clip_norm = 0, clip_value = 0;
  float sharpness = 0;  // not with `accumulate`
  void describe(SettingVisitor& visit) {
    visit("accumulate", accumulate, {.low = 1, .high = 1000000, .unit = "batches", .help = "batches an update"});
    visit("clip-norm", clip_norm, {.low = 0, .high = 1e9, .help = "largest norm of the gradient (0: any)"});
    visit("clip-value", clip_value, {.low = 0, .high = 1e9, .help = "largest slope (0: any)"});
    visit("sam", sharpness,
          {.low = 0,
           .high = 10,
           .help = "ρ of sharpness-aware minimisation (0: off; 0.05 is usual) [Foret et al. 2021]"});
  }
};

/// What is kept of the weights' way.
struct AveragingOptions {
  float decay = 0;
  bool recalibrate = false;
  void describe(SettingVisitor& visit) {
    visit("ema", decay,
          {.low = 0,
           .high = 0.999999,
           .help = "decay of a moving average of the weights, which validates and is kept (0: none)"});
    visit("recalibrate", recalibrate, {.help = "measure the statistics of trained batch norms anew at the end"});
  }
};

/// Which training pictures an epoch sees.
struct SamplingOptions {
  bool balanced = false;
  void describe(SettingVisitor& visit) { visit("balanced", balanced, {.help = "draw all classes equally often"}); }
};

/// What the loss is told beside scores and targets.
struct SupervisionOptions {
  std::shared_ptr<const Graph> teacher;  // distillation: scores the same pictures
  std::vector<float> class_weights;      // empty: all the same
  float auxiliary_weight = 0.3f;         // of the loss at each output after the first [Szegedy et al. 2015]
  void describe(SettingVisitor& visit) {
    visit("auxiliary-weight", auxiliary_weight,
          {.low = 0,
           .high = 10,
           .help = "weight of the loss at auxiliary heads, where the model has them (0: drop them)"});
  }
};

/// Whether the frozen part's results are computed once and kept.
struct CacheOptions {
  using Mode = Caching;
  Mode mode = Mode::automatic;
  int views = 2;                         // augmented variants of each picture that are cached
  size_t limit_bytes = size_t{4} << 30;  // automatic: larger caches are not made
  std::shared_ptr<FeatureFiles> files;   // where they are kept from run to run; none: nowhere
  void describe(SettingVisitor& visit);
};

/// Gradual unfreezing [Howard & Ruder 2018]: the head alone for `every` epochs, then with `layers` more layers below it
/// each time as many epochs have passed. What is marked as trainable beforehand does not count.
struct UnfreezeOptions {
  int every = 0;  // 0: off
  int layers = 1;
  BatchNormPolicy batch_norm = BatchNormPolicy::automatic;
  void describe(SettingVisitor& visit);
};

struct CheckpointOptions {
  std::string path;  // empty: none is kept
  bool resume = false;
  std::string fingerprint;  // what must be the same for a resume: NAME=VALUE in each line
};

struct TrainOptions {
  Task task = Task::classes;
  int64_t height = 224, width = 224;
  int64_t batch = 32;
  Choice loss{"cross-entropy"}, optimizer{"momentum"}, schedule{"cosine"};
  WarmUpOptions warm_up;
  LengthOptions length;
  RateOptions rate;
  RegularisationOptions regularisation;
  GradientOptions gradient;
  AveragingOptions averaging;
  MixingOptions mixing;
  SamplingOptions sampling;
  SupervisionOptions supervision;
  CacheOptions cache;
  UnfreezeOptions unfreezing;
  CheckpointOptions checkpoint;
  MemoryLimit memory;  // of a training step
  uint64_t seed = 0;
  int threads = 0;
  bool keep_last = false;  // the weights of the last epoch are kept: what validates chooses nothing

  /// Passes every group with settings of its own to `visit(group name, group)`.
  template <typename Visit>
  void each_group(const Visit& visit) {
    visit("length", length);
    visit("rates", rate);
    visit("warm-up", warm_up);
    visit("regularisation", regularisation);
    visit("gradients", gradient);
    visit("averaging", averaging);
    visit("mixing", mixing);
    visit("sampling", sampling);
    visit("supervision", supervision);
    visit("cache", cache);
    visit("unfreezing", unfreezing);
  }
};

}  // namespace graft
