#pragma once

#include <utility>

#include "finetune/training/trainer.h"

namespace graft {

/// A listener of which one knows whether it threw: its errors end a search, those of a trial are part of it.
class WatchedListener {
 public:
  /// `listener` outlives this object.
  explicit WatchedListener(const TrainListener& listener) {
    watch(listener.progress, watched_.progress);
    watch(listener.epoch, watched_.epoch);
    watch(listener.batch, watched_.batch);
    watch(listener.note, watched_.note);
    watch(listener.stopped, watched_.stopped);
  }
  WatchedListener(const WatchedListener&) = delete;  // its functions refer to it
  WatchedListener& operator=(const WatchedListener&) = delete;

  const TrainListener& functions() const { return watched_; }
  bool threw() const { return threw_; }
  /// Asks after a batch; false: the caller is to end.
  bool goes_on(double rate, double loss) const { return !watched_.batch || watched_.batch(rate, loss); }

 private:
  template <typename Result, typename... Arguments>
  void watch(const std::function<Result(Arguments...)>& from, std::function<Result(Arguments...)>& to) {
    if (!from) return;
    to = [this, &from](Arguments... arguments) {
      try {
        return from(std::forward<Arguments>(arguments)...);
      } catch (...) {
        threw_ = true;
        throw;
      }
    };
  }

  TrainListener watched_;
  bool threw_ = false;
};

}  // namespace graft
