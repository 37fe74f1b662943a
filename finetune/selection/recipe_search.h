#pragma once

#include <compare>
#include <functional>
#include <string>
#include <vector>

#include "finetune/selection/linear_candidate.h"
#include "finetune/training/trainer.h"
#include "graft/report.h"

namespace graft {

/// How pictures come to the network.
struct PictureForm {
  /// What variants from 1 on are: the plain view mirrored, or drawn by the augmentation, with its flips or without.
  enum class Variants { mirrored, augmented, augmented_without_flips };
  size_t preprocessing = 0;  // index into RecipeProblem::preprocessings
  Variants variants = Variants::augmented;
  auto operator<=>(const PictureForm&) const = default;
};

/// A network with a linear head, marked as for train(), with the names of its head's values.
struct RecipeNetwork {
  Graph graph;
  std::vector<std::string> head;  // weight, bias
};

/// What is searched.
struct RecipeProblem {
  /// A network of which `freeze` is frozen; its weights are those of all others.
  std::function<RecipeNetwork(const std::string& freeze)> network;
  /// The training pictures, then those that validate; the reference lasts as long as the search.
  std::function<const SampleSource&(const PictureForm&)> pictures;
  int64_t training = 0;
  std::vector<std::string> preprocessings;  // names; the first is what was given, others make it a guess
  int classes = 2;
  double budget = -1;  // seconds; below 0: as long as the features took, at least kLeastBudget
};
inline constexpr double kLeastBudget = 60;

/// What a search comes to.
struct RecipeChoice {
  PictureForm form;
  LinearHeadWeights head;  // for the network as it was given
  TrainOptions training;   // of the layers below the head, where report.epochs > 0
  RecipeSearch report;
  std::vector<std::string> skipped;  // pictures that cannot be read, with the reason
  bool stopped = false;              // by the listener; the head so far is the choice
  std::vector<int64_t> validation;   // readable pictures of those that validate
  FeatureCache features;             // theirs, plain, at freeze "all" and the chosen preprocessing
};

/// Chooses what makes the best classifier of the training pictures, by pictures that each candidate has not seen; those
/// that validate are never looked at. First the head, as a softmax regression on cached features: for each
/// preprocessing where that is a guess, with mirrored views or without, with augmented ones or without. Then the depth:
/// from that head on [Kumar et al. 2022], the last layers and all of them are trained on four fifths of the pictures,
/// where the head's errors leave something to gain and the budget lasts; a depth is chosen where its gain on the fifth
/// that it has not seen is beyond chance. `options`: of the run; what it says of length, rates and the optimizer is
/// replaced. Throws Error where the pictures do not allow a choice.
RecipeChoice choose_recipe(const RecipeProblem& problem, const TrainOptions& options, const TrainListener& listener,
                           const Backend& backend);

}  // namespace graft
