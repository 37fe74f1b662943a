#pragma once

#include <string>
#include <vector>

#include "finetune/trainer.h"

namespace graft {

struct FoldsResult {
  std::vector<double> scores;  // best validation score of each fold, as TrainResult has it
  double mean = 0, deviation = 0;
  double seconds = 0;
};

/// k-fold cross-validation: `source` is cut into `folds` parts, class by class; each part validates once what was trained on the others,
/// beginning from the same weights. `graph` is marked as for train() and stays as it is. The frozen part is computed once for all
/// folds. Throws Error where nothing is frozen, or the frozen part does not end in one place.
FoldsResult cross_validate(const Graph& graph, const std::vector<std::string>& head, const SampleSource& source, int classes, int folds, const TrainOptions& options,
                           const TrainListener& listener, const Backend& backend);

/// Which fold each sample validates in: equal shares of every class, drawn by `seed`.
std::vector<int> assign_folds(const SampleSource& source, int folds, uint64_t seed);

}  // namespace graft
