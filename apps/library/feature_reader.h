#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "augment/loader.h"
#include "finetune/features/feature_files.h"
#include "graft/device.h"
#include "graft/preprocessing.h"
#include "runtime/plan/row_plan.h"

namespace graft {

/// Rows of a network below its head for files: those that are on disk are read, the others computed and kept. Not
/// thread-safe.
class FeatureReader {
 public:
  /// `trunk`: of one output. `pipeline`: of one view. `batch`: pictures computed at once. All but the trunk outlive the
  /// reader.
  FeatureReader(Graph trunk, const Preprocessing& preprocessing, const Pipeline& pipeline, size_t batch,
                const ComputeSettings& settings, const Backend& backend, FeatureFiles& files);

  /// Whether the trunk's rows have keys and the folder can be used.
  bool works() const { return table_ != nullptr; }
  size_t width() const { return width_; }
  /// Whether pictures had to run one at a time.
  bool one_by_one() const { return plan_ && plan_->one_by_one(); }

  using Row = std::function<void(size_t index, std::span<const float> row)>;
  using Failed = std::function<void(size_t index, const std::string& reason)>;
  /// Hands out a row or a failure for each request, in order.
  void run(const std::vector<LoadRequest>& requests, const Row& row, const Failed& failed);

 private:
  void compute(const std::vector<LoadRequest>& requests, const std::vector<std::optional<ContentKey>>& keys,
               const std::vector<size_t>& missing, std::vector<std::string>& errors);

  Graph trunk_;
  const Pipeline& pipeline_;
  const ComputeSettings& settings_;
  const Backend& backend_;
  OpenDims dims_;
  std::string pipeline_text_;
  size_t width_ = 0;
  std::unique_ptr<StoredFeatures> table_;
  std::optional<RowPlan> plan_;  // made when a row is missing
  std::vector<float> rows_;      // of the requests in work
};

}  // namespace graft
