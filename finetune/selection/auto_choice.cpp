#include "finetune/selection/auto_choice.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "runtime/core/error.h"

namespace graft {
namespace {

using Clock = std::chrono::steady_clock;

/// Standard errors that a candidate must be better by. One fold that differs makes exactly one; two that agree
/// make 1.6.
constexpr double kErrors = 1.25;

/// Mean of b - a, and its standard error, fold by fold.
std::pair<double, double> difference(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double mean = 0, square = 0;
  for (size_t f = 0; f < a.size(); ++f) mean += (b[f] - a[f]) / n;
  for (size_t f = 0; f < a.size(); ++f) square += std::pow(b[f] - a[f] - mean, 2);
  return {mean, std::sqrt(square / (n - 1) / n)};
}

/// Better in its score by clearly more than chance, and not worse in its loss, which is the finer measure where both
/// have the same.
bool is_better(const AutoTrial& a, const AutoTrial& b) {
  const auto [mean, error] = difference(a.folds.best_epoch_scores, b.folds.best_epoch_scores);
  const bool same_loss = (a.settings.head == "svm") == (b.settings.head == "svm");
  return mean > kErrors * error &&
         (!same_loss || difference(a.folds.best_epoch_losses, b.folds.best_epoch_losses).first <= 0);
}

constexpr auto kDepths = {"last:1", "last:3"};

/// Has the store compute features of all depths in one pass, and says which of them cannot be kept.
void announce(const std::function<AutoNetwork(const AutoSettings&, TrainOptions&)>& make, const AutoSettings& given,
              FeatureStore& store, const TrainOptions& options, const TrainListener& listener, const Backend& backend) {
  const auto obstacle = [&](const std::string& depth) {
    AutoSettings settings = given;
    settings.freeze = depth;
    TrainOptions changed = options;
    return store.announce(depth, make(settings, changed).graph, options, backend);
  };
  obstacle(given.freeze);  // has its room before all others; what is in its way comes up in its trial
  for (const char* depth : kDepths)
    if (const std::string why = obstacle(depth); !why.empty() && listener.note)
      listener.note(std::string("freeze ") + depth + " is not tried: " + why);
}

class Search {
 public:
  Search(const std::function<AutoNetwork(const AutoSettings&, TrainOptions&)>& make, FeatureStore& store, int classes,
         int folds, double seconds, const TrainOptions& options, const TrainListener& listener, const Backend& backend)
      : make_(make),
        store_(store),
        classes_(classes),
        folds_(folds),
        seconds_(seconds),
        options_(options),
        listener_(listener),
        backend_(backend) {}

  AutoSearch run(const AutoSettings& given, const AutoFreedom& freedom) {
    if (freedom.freeze) announce(make_, given, store_, options_, listener_, backend_);
    try_settings(given);  // the first has all the time that it needs
    result_.trials[0].remark = "as given";
    if (freedom.rate) {
      vary({0.3f, 3.0f, 0.1f, 10.0f}, [](AutoSettings& s, float factor) { s.lr *= factor; });
    }
    if (freedom.weight_decay) {
      vary({0.0f, 1e-3f, 1e-2f}, [](AutoSettings& s, float value) { s.weight_decay = value; });
    }
    if (freedom.epochs) vary({5, 20}, [](AutoSettings& s, int factor) { s.epochs *= factor; });
    if (freedom.head) vary({"svm", "mlp:256"}, [](AutoSettings& s, const char* head) { s.head = head; });
    if (freedom.freeze) vary(kDepths, [](AutoSettings& s, const char* freeze) { s.freeze = freeze; });
    result_.seconds = elapsed();
    return std::move(result_);
  }

 private:
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  /// Tries the values one after the other from the best settings, and keeps the best that is better.
  template <typename T, typename Change>
  void vary(std::initializer_list<T> values, const Change& change) {
    const AutoSettings from = result_.trials[result_.chosen].settings;
    for (const T value : values) {
      AutoSettings settings = from;
      change(settings, value);
      if (stopped_ || elapsed() >= seconds_ || !is_possible(settings) || !try_settings(settings)) continue;
      AutoTrial& trial = result_.trials.back();
      if (!is_better(result_.trials[result_.chosen], trial)) continue;
      trial.remark = "better";
      result_.chosen = result_.trials.size() - 1;
    }
  }

  /// Whether the features of the settings' depth are there.
  bool is_possible(const AutoSettings& settings) const { return store_.find(settings.freeze) != nullptr; }

  /// False where the time ended it.
  bool try_settings(const AutoSettings& settings) {
    TrainOptions options = options_;
    options.rate.lr = settings.lr;
    options.regularisation.weight_decay = settings.weight_decay;
    options.length.epochs = settings.epochs;
    const AutoNetwork network = make_(settings, options);
    TrainListener inner;
    inner.progress = listener_.progress;
    inner.batch = [&](double rate, double loss) {
      stopped_ = stopped_ || (listener_.batch && !listener_.batch(rate, loss));
      return !stopped_ && (result_.trials.empty() || elapsed() < seconds_);
    };
    AutoTrial trial{settings, {}, ""};
    trial.folds = cross_validate(network.graph, network.head, store_, settings.freeze, {folds_, false}, classes_,
                                 options, inner, backend_);
    const bool whole = trial.folds.scores.size() == static_cast<size_t>(folds_);
    if (!whole) trial.remark = stopped_ ? "stopped" : "out of time";
    if (trial.folds.scores.empty() && !result_.trials.empty()) {  // nothing to show
      if (listener_.note)
        listener_.note("head " + settings.head + ", freeze " + settings.freeze + ": " + trial.remark +
                       " before its first fold");
      return false;
    }
    result_.trials.push_back(std::move(trial));
    if (listener_.progress) listener_.progress("settings tried", static_cast<int64_t>(result_.trials.size()), 0);
    return whole;
  }

  const std::function<AutoNetwork(const AutoSettings&, TrainOptions&)>& make_;
  FeatureStore& store_;
  int classes_, folds_;
  double seconds_;
  const TrainOptions& options_;
  const TrainListener& listener_;
  const Backend& backend_;
  bool stopped_ = false;  // by the listener
  Clock::time_point start_ = Clock::now();
  AutoSearch result_;
};

}  // namespace

AutoSearch choose_settings(const std::function<AutoNetwork(const AutoSettings&, TrainOptions&)>& make,
                           const AutoSettings& given, const AutoFreedom& freedom, FeatureStore& store, int classes,
                           int folds, double seconds, const TrainOptions& options, const TrainListener& listener,
                           const Backend& backend) {
  return Search(make, store, classes, folds, seconds, options, listener, backend).run(given, freedom);
}

void compute_features(const std::function<AutoNetwork(const AutoSettings&, TrainOptions&)>& make,
                      const AutoSettings& given, const AutoFreedom& freedom, FeatureStore& store,
                      const TrainOptions& options, const TrainListener& listener, const Backend& backend) {
  if (freedom.freeze) announce(make, given, store, options, listener, backend);
  TrainOptions changed = options;
  store.at(given.freeze, make(given, changed).graph, options, listener, backend);
}

}  // namespace graft
