#pragma once

#include <memory>

#include "runtime/core/training_kernels.h"
#include "runtime/plan/input_prefetcher.h"

namespace graft {

/// As InputPrefetcher, for an input that is pictures: a quarter of the bytes are copied, and the device flips
/// and normalises them.
class PicturePrefetcher {
 public:
  /// For input `input` of the plan, which nobody else brings from then on. The plan's backend has a device with
  /// training kernels. `plan` outlives this object.
  PicturePrefetcher(Plan& plan, size_t input);

  /// Starts the copy of as many pictures as the input has; they may change when it returns.
  void prefetch(const PictureBytes& pictures);
  /// Whether something was prefetched that was not staged.
  bool pending() const { return pending_; }
  /// Queues: what was prefetched becomes the plan's input.
  void stage();
  /// What was prefetched is not wanted after all.
  void discard() { pending_ = false; }

 private:
  void allocate(const PictureBytes& first);
  const Device& device_;
  const TrainingKernels& kernels_;
  float* input_;
  PictureBytes on_device_;  // the batch that is normalised
  size_t pixels_ = 0;       // bytes of a batch's; its turns follow them
  std::unique_ptr<PrefetchBuffer> buffer_;
  DeviceBuffer staged_, table_;
  bool pending_ = false;
};

}  // namespace graft
