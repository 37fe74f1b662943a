#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "finetune/heads/insert_norms.h"
#include "finetune/selection/feature_bank.h"
#include "finetune/selection/linear_candidate.h"
#include "finetune/selection/search_journal.h"

namespace graft {

/// A depth that gains.
struct FoundDepth {
  std::string freeze;
  std::string layers;     // in words
  int epochs = 0;         // of the training on all pictures
  TrainOptions training;  // the same
  NormStatistics norms;   // to be inserted
  HeldOut judged;
  double gain = 0;           // of accuracy, over the head alone
  double epoch_seconds = 0;  // of all pictures, estimated
};

/// Names of the depths that a search tries, in their order: a fifth of the `layers`, half of them, all.
std::vector<std::string> depths_to_try(int64_t layers);

/// Looks for a depth of training that gains over a head, by the pictures of fold 0, which that head and the trials do
/// not see. [Kumar et al. 2022, LP-FT]
class DepthSearch {
 public:
  /// All but `layers`, those below the head, outlives it. `training`: readable pictures, whose labels and folds
  /// `targets` holds; `form`: in which they train; `input`: of the head.
  DepthSearch(const RecipeProblem& problem, const FeatureBank& bank, const TrainOptions& options,
              const Backend& backend, SearchJournal& journal, const std::vector<int64_t>& training,
              const ClassTargets& targets, const PictureForm& form, HeadInput input, int64_t layers);

  /// Of those that gain beyond chance the one of the lowest loss; none where nothing does. Adds its trials to the
  /// journal.
  std::optional<FoundDepth> run(const LinearCandidate& head);

 private:
  struct Trial;
  /// Seconds of an epoch of a trial, and of what it takes beside its epochs.
  struct Cost {
    double epoch = 0, beside = 0;
    /// Below it a trial shows nothing.
    double least() const { return beside + 0.4 * epoch; }
  };
  Cost cost_of(const std::string& freeze) const;
  /// What goes wrong in a trial is told, and ends that trial alone.
  void try_depth(const std::string& freeze, double allowed);
  void try_within(const std::string& freeze, double allowed);
  /// Marked, with norms inserted.
  RecipeNetwork network(const std::string& freeze);
  void keep_if_better(const Trial& trial, const HeldOut& now, const std::string& what, double begin,
                      double epoch_seconds);
  void train_trial(Trial& trial, const std::function<bool()>& batch);
  /// Of a few batches; the trial has to be prepared anew afterwards. 0 where it was stopped.
  double seconds_per_step(Trial& trial);
  /// Trains and judges; nothing where it was stopped or took too long.
  std::optional<HeldOut> outcome(Trial& trial);
  /// Every so many of the pictures that train, class by class.
  std::vector<int64_t> thinned(double part) const;

  const RecipeProblem& problem_;
  const FeatureBank& bank_;
  const TrainOptions& options_;
  const Backend& backend_;
  SearchJournal& journal_;
  const std::vector<int64_t>& training_;
  const ClassTargets& targets_;
  const PictureForm& form_;
  HeadInput input_;
  int64_t layers_;
  const LinearCandidate* head_ = nullptr;
  std::vector<int64_t> held_out_, rest_;
  HeldOut reference_;                    // of the head
  std::optional<NormStatistics> norms_;  // measured when the first depth is tried
  double measuring_ = 0;                 // seconds that this took of a trial's, which are not its own
  int comparisons_ = 1;                  // depths that may be tried
  std::optional<FoundDepth> found_;
  double passes_ = 3.2;  // what a picture takes in a training step, in passes forward of what is trained
};

}  // namespace graft
