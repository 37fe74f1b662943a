#pragma once

#include <memory>

#include "finetune/training/device_pictures.h"
#include "runtime/plan/plan.h"

namespace graft {

/// As InputPrefetcher, for an input that is pictures: a quarter of the bytes go over, and the device turns and
/// normalises them.
class PicturePrefetcher {
 public:
  /// For input `input` of the plan, which nobody else brings from then on. Null where the plan's backend has no memory
  /// of its own, or cannot draw. `plan` outlives the result.
  static std::unique_ptr<PicturePrefetcher> make(Plan& plan, size_t input);
  ~PicturePrefetcher();
  PicturePrefetcher(const PicturePrefetcher&) = delete;
  PicturePrefetcher& operator=(const PicturePrefetcher&) = delete;

  /// Begins to carry pictures over, as many as the input has; they may change when it returns. Between two calls there
  /// must be a take() and a wait for the device.
  void send(const PictureBytes& pictures);
  /// Whether something was sent that was not taken.
  bool sent() const { return sent_; }
  /// Queues: what was sent becomes the plan's input.
  void take();
  /// What was sent is not wanted after all.
  void forget() { sent_ = false; }

 private:
  PicturePrefetcher(const DeviceMemory& memory, const DevicePictures& pictures, float* input)
      : memory_(memory), pictures_(pictures), input_(input) {}
  void make_room(const PictureBytes& pictures);
  size_t bytes() const { return pixels_ + static_cast<size_t>(there_.pictures); }
  const DeviceMemory& memory_;
  const DevicePictures& pictures_;
  float* input_;
  PictureBytes there_;  // pixels and turns as they were taken
  size_t pixels_ = 0;   // bytes of a batch's; turns follow them
  void *room_ = nullptr, *taken_ = nullptr, *table_ = nullptr;
  void* host_[2] = {};
  int turn_ = 0;
  bool sent_ = false;
};

}  // namespace graft
