#pragma once

#include <memory>
#include <string>
#include <vector>

#include "finetune/losses/loss.h"
#include "runtime/core/backend.h"

namespace graft {

/// A batch as a device holds it: rows × outputs, row-major. Not owned.
struct DeviceBatch {
  const float* scores = nullptr;
  const int* labels = nullptr;     // negative: the row counts for nothing
  const float* rows = nullptr;     // targets of several numbers, or null
  const float* teacher = nullptr;  // another network's scores, or null
  float* slopes = nullptr;         // dL/dscores of the batch's mean, times `scale`
  float scale = 1;
};

/// batch_loss on a device.
class LossKernel {
 public:
  virtual ~LossKernel() = default;
  /// What batch_loss and row_weight give for the whole batch.
  struct Sums {
    double loss = 0, weight = 0;
    bool finite = true;  // false where a score is NaN or infinite; the other numbers mean nothing then
  };
  /// Queues the loss. Where `keep` is set, its sums are on their way back: after the next wait they are those that
  /// sums() tells.
  virtual void compute(const DeviceBatch& batch, bool keep) = 0;
  virtual Sums sums() const = 0;
};

/// The extension "losses" of a backend.
class DeviceLosses : public BackendExtension {
 public:
  static constexpr const char* kName = "losses";
  /// `class_weights`: one an output, or empty. Null for a loss that the device does not know.
  virtual std::unique_ptr<LossKernel> make(const Choice& loss, const std::vector<float>& class_weights, int64_t rows,
                                           int64_t outputs) const = 0;
};

}  // namespace graft
