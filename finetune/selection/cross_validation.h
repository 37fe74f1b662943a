#pragma once

#include <memory>
#include <string>
#include <vector>

#include "finetune/training/trainer.h"
#include "graft/report.h"

namespace graft {

/// k-fold cross-validation: `source` is cut into `folds` parts, class by class; each part validates once what was
/// trained on the others, beginning from the same weights. The frozen part is computed once, for all folds and for
/// every way to train what is behind it.
class FoldedFeatures {
 public:
  /// `graph` is marked as for train() and stays as it is. Throws Error where nothing is frozen, or the frozen part does
  /// not end in one place.
  FoldedFeatures(const Graph& graph, const SampleSource& source, int folds, const TrainOptions& options,
                 const TrainListener& listener, const Backend& backend);
  ~FoldedFeatures();

  /// `graph` has the same frozen part. Of `listener` `note` and `batch` are told; a batch that ends the run ends all
  /// folds, and the result then has fewer scores than folds.
  FoldsResult run(const Graph& graph, const std::vector<std::string>& head, int classes, const TrainOptions& options,
                  const TrainListener& listener, const Backend& backend) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// One FoldedFeatures, run once.
FoldsResult cross_validate(const Graph& graph, const std::vector<std::string>& head, const SampleSource& source,
                           int classes, int folds, const TrainOptions& options, const TrainListener& listener,
                           const Backend& backend);

/// Which fold each sample validates in: equal shares of every class, drawn by `seed`.
std::vector<int> assign_folds(const SampleSource& source, int folds, uint64_t seed);

}  // namespace graft
