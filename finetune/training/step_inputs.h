#pragma once

#include <memory>

#include "finetune/training/feed.h"
#include "runtime/plan/plan.h"

namespace graft {

/// Brings batches to the inputs of a training plan.
class StepInputs {
 public:
  /// Where the plan's backend has a device, inputs are copied there, the next batch's while it computes; the processor
  /// reads them where they are. `plan` outlives the result.
  static std::unique_ptr<StepInputs> make(Plan& plan);
  virtual ~StepInputs() = default;
  /// Starts to copy the batch that stage() will be called for next, whose inputs may then change.
  virtual void prefetch(const FeedBatch& next) = 0;
  /// Makes the batch's inputs the plan's, from what was prefetched if anything was. They stay as they are until the
  /// step is done.
  virtual void stage(const FeedBatch& batch) = 0;
  /// What was prefetched is not wanted after all.
  virtual void discard() = 0;
};

}  // namespace graft
