#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graft/choice.h"
#include "graft/device.h"
#include "graft/model.h"
#include "graft/preprocessing.h"
#include "graft/report.h"
#include "graft/task.h"

namespace graft {

/// Everything that can be set of a fine-tuning run: a plain value whose defaults suit small sets of pictures. An Error
/// about one of them names it as docs/settings.md does; that name stands behind each member where it differs.
struct FinetuneSettings {
  Task task = Task::classes;  // that the dataset was read for
  ComputeSettings compute;
  uint64_t seed = 0;          // of everything random: the same seed gives the same weights
  uint64_t memory_bytes = 0;  // "memory": of activations and gradients of a step, which are made again where they do
                              // not fit; 0: no limit
  double memory_part = 0;     // the same as a part of what they would take, 0 to 1; 0: no limit

  // What is learnt.
  std::optional<Preprocessing> preprocessing;  // "preprocess"; none: preprocessing_for(model)
  std::string augment = "default";             // a recipe's name, FILE.toml, or transforms separated by commas
  bool balanced = false;                       // draw all classes equally often
  double mixup = 0, cutmix = 0;                // α of Beta(α, α) for mixing pictures and targets; 0: off

  // The network.
  Choice head{"linear"};       // conv | linear | mlp | svm
  std::string features;        // name of the node or value that the head reads; empty: what the classifier reads
  std::string freeze = "all";  // all | none | until:NODE | last:N | match:REGEX; the head is always trained
  BatchNormPolicy batch_norm = BatchNormPolicy::automatic;  // "batch-norm"
  int unfreeze_every = 0;       // "unfreeze": epochs after which more layers are trained; 0: off
  int unfreeze_layers = 1;      // "unfreeze": how many
  double stochastic_depth = 0;  // "stochastic-depth": probability, below 1, that the last residual branch is left out
  bool remove_lrn_and_dropout = false;  // which batch norms make superfluous
  std::string preset;                   // that apply_preset applied, as errors name it

  // The loss.
  Choice loss{""};                   // no name: cross-entropy (hinge for an SVM's head), bce or mse, by the task
  std::vector<float> class_weights;  // "class-weights": one a class, in the order of Dataset::classes; empty: all 1
  bool balanced_weights = false;     // "class-weights": n / (classes · n_c) for each class c
  std::optional<Model> teacher;      // for the loss "distillation": scores the same classes
  double auxiliary_weight = 0.3;     // "auxiliary-weight": of the loss at auxiliary heads, where the model has them

  // Rates and penalties.
  Choice optimizer{"momentum"}, schedule{"cosine"};
  double lr = 0;                  // of the head; 0: the optimizer's own
  double trunk_lr_scale = 0.1;    // "trunk-lr-scale": rate of the layers below the head, as a part of the head's
  double layer_decay = 1;         // "layer-decay": rate of each layer below, as a part of the one's above
  double warmup = 0;              // epochs of a linear rise in front
  double warmup_start = 0;        // "warmup-start": part of the rate that the rise begins with
  double weight_decay = -1;       // "weight-decay": L2; below 0: the optimizer's own
  double l1 = 0;                  // L1
  bool no_decay_vectors = false;  // "no-decay-vectors": neither on biases and norms

  // Gradients and steps.
  int epochs = 10;
  int patience = 0;                      // epochs without progress that end the run; 0: never
  int64_t accumulate = 1;                // batches an update
  double clip_norm = 0, clip_value = 0;  // "clip-norm", "clip-value": largest norm, largest slope; 0: any
  double sam = 0;                        // ρ of sharpness-aware minimisation; 0: off
  double ema = 0;                        // decay of a moving average of the weights, which is the result; 0: none
  bool recalibrate = false;              // measure the statistics of trained batch norms anew at the end

  // Features of the frozen part.
  Caching cache = Caching::automatic;
  int cached_views = 2;                         // "cache": augmented views of each picture that are kept
  std::optional<uint64_t> picture_cache_bytes;  // "picture-cache": for decoded pictures, which epochs then need not
                                                // decode again; none: a quarter of the memory that is available

  // What is done beside the run itself.
  /// "budget": seconds for choosing, by training pictures held out, what suits the set: preprocessing where it is a
  /// guess, mirrored and augmented views, the head's penalty, the depth that is trained and for how long. Below 0: as
  /// long as the features took, and at least a minute; thrice that where the head leaves errors. 0, or with any other
  /// setting of the training changed: the plain recipe, which the settings are.
  double budget_seconds = -1;
  bool preprocessing_is_guess = false;  // whether `preprocessing` may be replaced by what the pictures speak for
  int folds = 0;                        // cross-validation in so many parts before the run; 0: none
  int seeds = 1;                        // runs, each with the next seed, of whose scores the spread is told
  bool find_rate = false;               // "find-lr": only the learning-rate range test, in the place of the run
  /// "auto": seconds of looking for what is better before the run; 0: none. With no other setting of the training
  /// changed the same as budget_seconds; else what is set stays, and rate, weight decay, epochs, head and depth are
  /// searched by cross-validation.
  double search_seconds = 0;
  AutoFreedom search_freedom;  // what that search may vary
  /// What a run had chosen, as the text of its search_record: it is done again in place of a search, to the same bits.
  std::string recipe;
  std::string search_record;  // file of what a search tried (CSV), which a resumed run reads; empty: none is kept

  // Going on after an interruption.
  std::string checkpoint;  // file that is written after each epoch; empty: none is kept
  bool resume = false;     // go on from it: the same settings end in the same weights, bit for bit
};

/// Names of sets of settings that belong together ("accelerating-bn").
std::vector<std::string> preset_names();

/// Sets what a preset stands for. `given`: the settings, by their names in docs/settings.md, that stay as they are.
/// Throws Error (not_found), about "preset".
void apply_preset(FinetuneSettings& settings, const std::string& preset, const std::set<std::string>& given = {});

}  // namespace graft
