#pragma once

#include <optional>
#include <string>
#include <vector>

#include "finetune/training/checkpoint.h"
#include "finetune/training/loss_scale.h"
#include "finetune/training/trainer.h"
#include "finetune/training/weight_average.h"
#include "runtime/plan/plan.h"

namespace graft {

/// Everything that a run changes, so that saving and restoring it is one thing.
struct TrainingState {
  std::vector<Parameter> parameters;
  OptimizerState slots;
  std::vector<std::pair<std::string, std::shared_ptr<Tensor>>>
      statistics;                                        // running means and variances that are trained
  std::vector<Tensor> best_parameters, best_statistics;  // those of the best validation epoch
  std::optional<WeightAverage> average;                  // where the run keeps one
  std::optional<LossScale> loss_scale;                   // where slopes are halves of float16
  int64_t step = 0, batches = 0;                         // updates and batches done
  int epoch = 0;                                         // epochs done
  int best_epoch = 0;
  double best_val_score = -1e30, best_val_loss = 0;
  std::vector<EpochReport> history;

  /// Goes on with these parameters and statistics, whatever there was before: of those that are new, the best values so
  /// far are the present ones.
  void take(std::vector<Parameter> next_parameters,
            std::vector<std::pair<std::string, std::shared_ptr<Tensor>>> next_statistics);
  void keep_as_best();
  void restore_best();
};

/// Epochs that a checkpoint's run had done. Throws Error where it does not say.
int epochs_done(const Checkpoint& checkpoint);
Checkpoint to_checkpoint(const TrainingState& state, const std::string& fingerprint);
/// Throws Error when the checkpoint belongs to another run (fingerprint, names or shapes differ).
void from_checkpoint(const Checkpoint& checkpoint, const std::string& fingerprint, TrainingState& state);

}  // namespace graft
