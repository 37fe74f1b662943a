#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace graft {

/// An epoch of a training run, after its validation. By the task, score and second score are the top-1 and top-5
/// accuracy (0 to 1), the mean average precision and the share of pictures with every label right, or R² and the mean
/// absolute error.
struct EpochReport {
  int epoch = 0;  // from 1
  double train_loss = 0, val_loss = 0, val_score = 0, val_second = 0, lr = 0, seconds = 0;
  int epochs = 0;  // that the run has at most
};

/// Cross-validation.
struct FoldsResult {
  std::vector<double> scores;      // best validation score of each fold
  double mean = 0, deviation = 0;  // of `scores`
  /// Score and loss of each fold after that epoch which is best on the average of all folds: unlike `scores` they do
  /// not gain from swings between epochs, so that settings can be compared by them.
  std::vector<double> best_epoch_scores, best_epoch_losses;
  double seconds = 0;
};

/// A run repeated with other seeds: how much of its score is chance.
struct SeedsResult {
  std::vector<double> scores;      // validation scores, the run's own first
  double mean = 0, deviation = 0;  // of `scores`
  double seconds = 0;              // of the repetitions
};

struct RateTrial {
  double rate = 0, loss = 0;  // loss: of the batch, smoothed
};
/// The learning-rate range test.
struct RateSearch {
  std::vector<RateTrial> trials;
  double suggestion = 0;  // where the smoothed loss fell fastest
};

/// What a search for settings may vary; the rest stays as it is given.
struct AutoFreedom {
  bool rate = true, weight_decay = true, head = true, freeze = true, epochs = true;
};
struct AutoSettings {
  std::string head = "linear";  // linear | svm | mlp:H
  std::string freeze = "all";   // all | last:N
  float lr = 0, weight_decay = 0;
  int epochs = 0;
};
struct AutoTrial {
  AutoSettings settings;
  FoldsResult folds;   // of fewer scores than folds where the time ended it
  std::string remark;  // why it was chosen, or why it did not count
};
/// A search for settings by cross-validation.
struct AutoSearch {
  std::vector<AutoTrial> trials;  // in the order they were made; the first is what was given
  size_t chosen = 0;
  double seconds = 0;
};

/// A candidate of the search for the best classifier, judged by training pictures that it has not seen.
struct RecipeTrial {
  std::string what;               // "head on plain views", "all layers, 4 epochs"
  int64_t pictures = 0;           // that judged it
  double accuracy = 0, loss = 0;  // loss: cross-entropy in nats
  double seconds = 0;
  std::string verdict;  // "chosen", or why it was not
};
/// What a run without settings of its own made of the training pictures: how they come to the network, how much of it
/// is trained, and why.
struct RecipeSearch {
  std::vector<RecipeTrial> trials;  // in the order they were made; empty: there was no search
  std::string preprocessing;        // chosen name; empty: as the model says, or as it was given
  bool flips = true;                // whether mirrored pictures train
  std::string freeze = "all";       // chosen depth
  bool joined = false;              // whether the head reads averages of earlier layers, too
  int epochs = 0;                   // of the training below the head; 0: the head alone
  double trunk_rate = 1;            // its learning rate there, as a part of the largest that is tried
  double l2 = 0, temperature = 1;   // of the head
  std::string conclusion;           // in plain words
  double budget = 0, seconds = 0;   // that the search had, and took
};

/// What a run found out, on pictures that it had not trained on, of how far the model's answers can be trusted. Where
/// it is fitted to those pictures, what it is worth is told of parts of them that it was not fitted on.
struct ConfidenceReport {
  size_t held_back = 0;  // pictures that it was found out on; 0: it was not
  /// Classes: what the scores are divided by, 1 where that would not help, and the expected calibration error (0 to 1)
  /// without it and with it.
  double temperature = 1, calibration_error = 0, calibration_error_at_temperature = 0;
  bool guesses = false;  // the scores tell nothing of the held-back pictures: no temperature would help
  /// Several labels: how many got a threshold other than 0.5, and the mean F1 without them and with them.
  size_t thresholds = 0;
  double macro_f1 = 0, macro_f1_at_thresholds = 0;
  size_t references = 0;  // training pictures whose features tell what is like none of them; 0: nothing does
};

}  // namespace graft
