#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graft/dataset.h"
#include "graft/listener.h"
#include "graft/model.h"
#include "graft/report.h"
#include "graft/settings.h"

namespace graft {

/// What a fine-tuning run comes to.
struct FinetuneResult {
  /// With the weights of the best epoch (of a chosen recipe: the fitted head, or the last epoch), the dataset's classes
  /// as labels, and the preprocessing that it was trained with; none after a range test.
  std::optional<Model> model;
  Task task = Task::classes;
  std::vector<EpochReport> history;  // of all epochs, those before an interruption included
  int best_epoch = 0;                // from 1
  double best_score = 0;             // validation score of that epoch, as EpochReport::val_score
  bool stopped_early = false;        // after fewer epochs than were asked for: by patience, or by the listener
  /// Where the training ended because its loss was no number any more: the epoch, the batch and the layer. The model is
  /// that of the best epoch before.
  std::string diverged;
  bool features_cached = false;
  size_t features_from_disk = 0;  // views whose features another run had kept
  /// Decoded pictures that were kept for later epochs; those that found no room were decoded again each time.
  struct PictureCache {
    size_t pictures = 0;
    uint64_t bytes = 0, most_bytes = 0;
    bool full = false;
  } picture_cache{};
  int64_t trainable_parameters = 0, frozen_parameters = 0;
  std::vector<std::string> skipped;  // pictures and other files left out, each with the reason
  FoldsResult folds;                 // empty without cross-validation
  SeedsResult seeds;                 // empty unless other seeds were asked for
  RateSearch rates;                  // empty without a range test
  AutoSearch search;                 // empty without a search for settings
  RecipeSearch recipe;               // empty with the plain recipe
  ConfidenceReport confidence;       // empty where the run was stopped
  double seconds = 0;                // of the whole call
};

/// Replaces the model's classifier by a new head for the dataset's classes and trains it, and as much below it as the
/// settings say. `model` stays as it is for all who hold it; give it away (std::move) and its weights are not copied.
/// The dataset's validation part judges each epoch. `listener` may be null, and outlives the call otherwise. Calls may
/// run in several threads at the same time, but share the processor's cores.
/// Throws Error: invalid_argument for settings that are not allowed or do not go together, with the setting's name;
/// not_found for names of components and layers; bad_data for a dataset that cannot be learnt; unsupported for layers
/// that cannot be trained or a model without a classifier or features; corrupt_file, not_found for the checkpoint of a
/// resumed run; cancelled where the listener stopped it before there was a model; out_of_memory; io.
FinetuneResult finetune(Model model, const Dataset& dataset, const FinetuneSettings& settings = {},
                        Listener* listener = nullptr);

}  // namespace graft
