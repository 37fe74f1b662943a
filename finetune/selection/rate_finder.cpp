#include "finetune/selection/rate_finder.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "finetune/schedules/range_test.h"
#include "finetune/selection/watched_listener.h"
#include "runtime/core/error.h"

namespace graft {

RateSearch find_rate(const Graph& graph, const std::vector<std::string>& head, const SampleSource& training,
                     const SampleSource& validation, int classes, const TrainOptions& given,
                     const TrainListener& listener, const Backend& backend, double low, double high, int batches) {
  TrainOptions options = given;
  const int64_t an_epoch = std::max<int64_t>(1, (training.size() + options.batch - 1) / options.batch);
  options.length.epochs = static_cast<int>((batches + an_epoch - 1) / an_epoch);
  options.checkpoint.path.clear();
  options.checkpoint.resume = false;
  options.length.patience = 0;
  options.schedule = choose<schedules::RangeTest>({.span = high / low});
  options.warm_up = {};
  options.rate.lr = static_cast<float>(high);
  Graph copy = graph.independent_copy();

  RateSearch search;
  double smooth = 0, best = std::numeric_limits<double>::infinity();
  TrainListener inner;
  const WatchedListener watched(listener);
  inner.progress = watched.functions().progress;
  inner.note = watched.functions().note;
  inner.batch = [&](double rate, double loss) {
    constexpr double kSmoothing = 0.9;
    smooth = kSmoothing * smooth + (1 - kSmoothing) * loss;
    const double corrected = smooth / (1 - std::pow(kSmoothing, static_cast<double>(search.trials.size() + 1)));
    search.trials.push_back({rate, corrected});
    best = std::min(best, corrected);
    return watched.goes_on(rate, loss) && std::isfinite(loss) && corrected <= 4 * best;
  };
  try {
    train(copy, head, training, validation, classes, options, inner, backend);
  } catch (const Error& error) {
    const bool is_a_trials = !watched.threw() && error.code() != ErrorCode::out_of_memory;
    if (search.trials.size() < 5 || !is_a_trials)
      throw;  // else scores ran out of numbers at the high end: that is where the test ends
  }
  if (search.trials.size() < 5)
    throw Error("the range test ended after " + std::to_string(search.trials.size()) + " batches",
                "there are too few pictures, or the loss is never finite");
  double steepest = 0;
  for (size_t i = 1; i + 1 < search.trials.size(); ++i) {
    const double slope = (search.trials[i + 1].loss - search.trials[i - 1].loss) /
                         (std::log(search.trials[i + 1].rate) - std::log(search.trials[i - 1].rate));
    if (slope < steepest) {
      steepest = slope;
      search.suggestion = search.trials[i].rate;
    }
  }
  return search;
}

}  // namespace graft
