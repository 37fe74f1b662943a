#pragma once

#include "finetune/selection/feature_bank.h"
#include "finetune/selection/held_out.h"
#include "finetune/training/trainer.h"
#include "graft/report.h"

namespace graft {

/// Chooses a recipe by a problem's training pictures (see choose_recipe), carries it out, and judges what comes of it
/// by the problem's validation pictures, which neither chose nor trained anything. Fewer than those are judged where
/// some cannot be read; none where the listener stopped it.
HeldOut run_recipe(const RecipeProblem& problem, FeatureBank& bank, const TrainOptions& options,
                   const TrainListener& listener, const Backend& backend);

/// Nested cross-validation: all pictures of a problem, those that validate too, are cut into `folds` parts, class by
/// class; each judges once what run_recipe makes of the others. Fewer scores than folds where the listener stopped it,
/// or where a part allows no choice, which is told.
FoldsResult cross_validate_recipe(const RecipeProblem& problem, FeatureBank& bank, int folds,
                                  const TrainOptions& options, const TrainListener& listener, const Backend& backend);

/// What run_recipe comes to with the `count` seeds that follow the options'. Fewer scores as above.
SeedsResult repeat_recipe(const RecipeProblem& problem, FeatureBank& bank, int count, const TrainOptions& options,
                          const TrainListener& listener, const Backend& backend);

}  // namespace graft
