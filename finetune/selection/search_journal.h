#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "finetune/selection/held_out.h"
#include "finetune/selection/watched_listener.h"
#include "finetune/training/trainer.h"
#include "graft/report.h"

namespace graft {

/// What the parts of a search share: its clock, its budget, what was tried, and who listens.
class SearchJournal {
 public:
  /// `listener` outlives it.
  explicit SearchJournal(const TrainListener& listener) : listener_(listener) {}

  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  /// Of the budget, to which what every run computes does not count.
  double left() const { return budget - (seconds() - features_seconds); }

  void add(const std::string& what, const HeldOut& judged, double begin, const std::string& verdict);
  void note(const std::string& text) const {
    if (listener_.functions().note) listener_.functions().note(text);
  }
  void progress(const std::string& phase, int64_t done, int64_t total) const {
    if (listener_.functions().progress) listener_.functions().progress(phase, done, total);
  }
  /// Asks after a batch of training, as TrainListener::batch; once stopped, the search stays so.
  bool goes_on(double rate, double loss) {
    stopped = stopped || !listener_.goes_on(rate, loss);
    return !stopped;
  }
  /// Whether an error is the listener's own, which no trial may swallow.
  bool listener_threw() const { return listener_.threw(); }

  std::vector<RecipeTrial> trials;
  size_t chosen = 0;  // trial
  double budget = 0, features_seconds = 0;
  bool stopped = false;  // by the listener

 private:
  using Clock = std::chrono::steady_clock;
  const WatchedListener listener_;
  Clock::time_point start_ = Clock::now();
};

/// Numbers in lines that people read: with so many decimals; as a percentage of 1; with its unit.
std::string fixed_text(double value, int decimals);
std::string percent_text(double part);
std::string seconds_text(double seconds);

}  // namespace graft
