#pragma once

#include <cstdint>
#include <string>

#include "graft/model.h"
#include "graft/report.h"

namespace graft {

/// What a long call tells while it goes. Derive from it and override what is of interest. All functions are called in
/// the thread that made the call. An Error thrown by one of them ends the call and passes through; another
/// std::exception does so as an Error with the code internal.
class Listener {
 public:
  virtual ~Listener() = default;
  /// `done` of `total` steps of a phase ("features of the training pictures"). A total of 0 is not known.
  virtual void progress(const std::string& /*phase*/, int64_t /*done*/, int64_t /*total*/) {}
  /// A line that a user should see. Settings in it are written by mention() (error.h); Error(text).what() has them by
  /// their names, Error(text).text() as you write them.
  virtual void note(const std::string& /*text*/) {}
  /// A picture or another file is left out, and why ("a.png: is truncated").
  virtual void skipped(const std::string& /*reason*/) {}
  /// After each epoch of the training.
  virtual void epoch(const EpochReport& /*report*/) {}
  /// The model that a fine-tuning run ends with, before folds and seeds repeat what made it, which takes as long again
  /// and again. Called where there are any; keep it, and their interruption costs no model.
  virtual void trained(const Model& /*model*/) {}
  /// The best epoch's model so far, while the training goes on: keep it, and a run that is killed costs little. Called
  /// when an epoch is better than all before, but so seldom that it takes a tenth of the time at most.
  virtual void improved(const Model& /*model*/) {}
  /// Asked after each batch of the training, and of what the frozen part computes before it: true ends the call. The
  /// epoch is then validated and counts, and the best weights so far are the result (of a chosen recipe the last ones;
  /// of a search the head so far); the checkpoint stays that of the last whole epoch. Before there is anything, the
  /// call throws Error (cancelled). L-BFGS, which has no batches, asks after each iteration.
  virtual bool stop() { return false; }
};

}  // namespace graft
