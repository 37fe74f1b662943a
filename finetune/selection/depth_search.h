#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "finetune/heads/insert_norms.h"
#include "finetune/selection/feature_bank.h"
#include "finetune/selection/linear_candidate.h"
#include "finetune/selection/search_journal.h"

namespace graft {

/// The accuracy out of fold of a head from which on a set counts as near to what the network was trained for.
inline constexpr double kNear = 0.9;

/// A depth that gains.
struct FoundDepth {
  std::string freeze;
  std::string layers;        // in words
  int epochs = 0;            // of the training on all pictures
  double trunk_rate = 1;     // the same, as depth_options takes it
  TrainOptions training;     // the same
  NormStatistics norms;      // to be inserted
  HeldOut judged;            // on fold 0, and on others where that did not tell enough
  double loss = 0;           // on fold 0, by which depths are compared
  double gain = 0;           // of accuracy, over the head alone
  double epoch_seconds = 0;  // of all pictures, estimated
};

/// Seconds of an epoch of a trial, and of what it takes beside its epochs.
struct TrialCost {
  double epoch = 0, beside = 0;
  /// Below it a trial shows nothing.
  double least() const { return beside + 0.4 * epoch; }
};

/// Epochs of the first of `trials` that `seconds` allow if those behind it get as many, since trials of different
/// lengths say little of each other. Trials that could then not be judged, nor what is behind them, do not count.
double fair_epochs(std::span<const TrialCost> trials, double seconds, double steps_per_epoch);

/// Names of the depths that a search tries, in their order: a fifth of the `layers`, half of them, all.
std::vector<std::string> depths_to_try(int64_t layers);

/// Looks for a depth of training that gains over a head, by pictures that neither that head nor the trials have seen:
/// those of fold 0, and where a small gain is to be told from chance, of other folds too.
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
  struct Fold {
    std::vector<int64_t> held_out, rest;
    HeldOut reference;  // the head
  };
  TrialCost cost_of(const std::string& freeze) const;
  void allow_more_time(int64_t errors, size_t pictures);
  double steps_per_epoch() const;
  /// The first of `depths`. What goes wrong in a trial is told, and ends that trial alone.
  void try_depth(std::span<const std::string> depths);
  void try_within(std::span<const std::string> depths, double allowed);
  /// Marked, with norms inserted.
  RecipeNetwork network(const std::string& freeze);
  /// What a trial was judged to be, and the head on the same pictures.
  struct Judged {
    HeldOut now, reference;
  };
  /// Adds a trial to the journal, and keeps it where it is better than the head and what was kept. `loss`: on fold 0;
  /// `epoch_seconds`: of all pictures.
  void keep_if_better(const Trial& trial, const Judged& judged, double loss, const std::string& what, double begin,
                      double epoch_seconds);
  /// Repeats a trial on other folds, as many as most of the time left allows at `seconds` each, and adds what they say
  /// to that of fold 0. `prepare` makes it anew for a fold. The number of folds.
  size_t look_closer(Trial& trial, Judged& judged, double seconds, const std::function<void(const Fold&)>& prepare);
  void train_trial(Trial& trial, const std::function<bool()>& batch);
  /// Of a few batches; the trial has to be prepared anew afterwards. 0 where it was stopped.
  double seconds_per_step(Trial& trial);
  /// Trains and judges; nothing where it was stopped or took too long.
  std::optional<HeldOut> outcome(Trial& trial);
  /// Every so many of the pictures that train beside fold 0, class by class.
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
  std::vector<Fold> folds_;
  bool near_ = false;  // whether the head alone is nearly always right
  double trunk_rate_ = 1;
  std::optional<NormStatistics> norms_;  // measured when the first depth is tried
  double measuring_ = 0;                 // seconds that this took of a trial's, which are not its own
  int comparisons_ = 1;                  // candidates that may be tried
  std::optional<FoundDepth> found_;
  double passes_ = 3.2;  // what a picture takes in a training step, in passes forward of what is trained
};

}  // namespace graft
