#pragma once

#include <string>
#include <vector>

#include "finetune/heads/insert_norms.h"
#include "finetune/selection/feature_bank.h"
#include "finetune/selection/linear_candidate.h"
#include "finetune/selection/recipe_problem.h"
#include "finetune/training/trainer.h"
#include "graft/report.h"

namespace graft {

/// What the head was fitted to.
enum class HeadKind : uint8_t { plain_views, augmented_views, class_means };

/// What a search comes to.
struct RecipeChoice {
  PictureForm form;
  HeadKind kind = HeadKind::plain_views;
  HeadInput input = HeadInput::features;
  LinearHeadWeights head;  // for what it reads
  TrainOptions training;   // of the layers below the head, where report.epochs > 0
  NormStatistics norms;    // to be inserted then
  RecipeSearch report;
  std::vector<std::string> skipped;  // pictures that cannot be read, with the reason
  bool stopped = false;              // by the listener; the head so far is the choice
};

/// Chooses what makes the best classifier of the training pictures, by pictures that each candidate has not seen; those
/// that validate are never looked at. First the head, as a softmax regression on cached features: for each
/// preprocessing where that is a guess, with mirrored views or without, with augmented ones or without, on the features
/// alone or joined with earlier layers' averages. Then the depth: with a new head, the last layers and all of them are
/// trained on four fifths of the pictures, where the head's errors leave something to gain and the budget lasts; a
/// depth is chosen where its gain on the fifth that it has not seen is beyond chance. `options`: of the run; what it
/// says of length, rates and the optimizer is replaced. `bank`: of the same problem, or of one with more pictures.
/// Throws Error where the pictures do not allow a choice.
RecipeChoice choose_recipe(const RecipeProblem& problem, FeatureBank& bank, const TrainOptions& options,
                           const TrainListener& listener, const Backend& backend);

/// Carries out what another search of the same pictures chose, without one: `known` has its form, kind, input and the
/// report's flips, freeze, epochs and joined. The same bits come of it.
RecipeChoice repeat_choice(const RecipeProblem& problem, FeatureBank& bank, const RecipeChoice& known,
                           const TrainOptions& options, const TrainListener& listener, const Backend& backend);

}  // namespace graft
