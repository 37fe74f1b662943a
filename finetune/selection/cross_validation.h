#pragma once

#include <string>
#include <vector>

#include "finetune/training/feature_store.h"
#include "finetune/training/trainer.h"
#include "graft/report.h"

namespace graft {

/// Which pictures are cut into how many folds.
struct FoldPlan {
  int folds = 5;
  bool all = false;  // of a store: those that validate too, not the training pictures alone
};

/// k-fold cross-validation on rows of a store: its pictures are cut into parts, class by class; each part validates
/// once what was trained on the others, beginning from the same weights. `graph` is marked as for train() and stays as
/// it is; `depth` names its frozen part in the store. Of `listener` `progress`, `note` and `batch` are told; a batch
/// that ends the run ends all folds, and the result then has fewer scores than folds. Throws Error where rows of the
/// frozen part cannot be kept.
FoldsResult cross_validate(const Graph& graph, const std::vector<std::string>& head, FeatureStore& store,
                           const std::string& depth, const FoldPlan& plan, int classes, const TrainOptions& options,
                           const TrainListener& listener, const Backend& backend);

/// Which fold each of `samples` validates in: equal shares of every class, drawn by `seed`.
std::vector<int> assign_folds(const SampleSource& source, const std::vector<int64_t>& samples, int folds,
                              uint64_t seed);

}  // namespace graft
