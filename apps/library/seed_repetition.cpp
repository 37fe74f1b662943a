#include "apps/library/seed_repetition.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "apps/library/scores.h"
#include "finetune/metrics/spread.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// A run with another seed, of which only the progress is told.
class RepetitionListener final : public Listener {
 public:
  RepetitionListener(Listener& listener, std::string name) : listener_(listener), name_(std::move(name)) {}
  void progress(const std::string& phase, int64_t done, int64_t total) override {
    listener_.progress(name_ + ": " + phase, done, total);
  }
  bool stop() override { return stopped_ = stopped_ || listener_.stop(); }
  bool stopped() const { return stopped_; }

 private:
  Listener& listener_;
  std::string name_;
  bool stopped_ = false;
};

}  // namespace

SeedsResult repeat_with_seeds(FinetuneSettings settings, const SeedRun& run, Listener& listener) {
  const auto start = std::chrono::steady_clock::now();
  const int count = std::exchange(settings.seeds, 1) - 1;
  settings.folds = 0;
  settings.checkpoint.clear();
  settings.resume = false;
  SeedsResult result;
  for (int i = 0; i < count; ++i) {
    ++settings.seed;
    const std::string name = "seed " + std::to_string(settings.seed);
    RepetitionListener inner(listener, name);
    if (inner.stop()) break;
    FinetuneResult one;
    try {
      one = run(settings, inner);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::cancelled) throw;
      break;  // the runs before are whole
    }
    if (inner.stopped()) break;
    if (!one.diverged.empty()) {
      listener.note(name + ": left out, " + one.diverged);
      continue;
    }
    result.scores.push_back(one.best_score);
    listener.note(name + ": " + score_text(settings.task, one.best_score));
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

void tell_seeds(FinetuneResult& result, Listener& listener) {
  SeedsResult& seeds = result.seeds;
  if (seeds.scores.empty()) return;  // stopped before the first
  seeds.scores.insert(seeds.scores.begin(), result.best_score);
  const Spread spread = spread_of(seeds.scores);
  seeds.mean = spread.mean;
  seeds.deviation = spread.deviation;
  const auto [least, most] = std::minmax_element(seeds.scores.begin(), seeds.scores.end());
  listener.note(std::to_string(seeds.scores.size()) + " seeds: " + score_text(result.task, seeds.mean) +
                ", deviation " + short_number(seeds.deviation) + ", from " + score_text(result.task, *least) + " to " +
                score_text(result.task, *most) + ", " + short_number(seeds.seconds) + " s more");
}

}  // namespace graft
