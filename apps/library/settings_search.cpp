#include "apps/library/settings_search.h"

#include <algorithm>
#include <cstdio>
#include <ostream>
#include <sstream>

#include "apps/library/network.h"
#include "apps/library/read_lines.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr int kFolds = 5;

std::string formatted(const char* format, auto... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

void write_trials(const std::string& path, const AutoSearch& search) {
  write_atomically(path, [&](std::ostream& stream) {
    stream.precision(9);  // a resumed run reads the very same numbers
    stream << "head,freeze,lr,weight_decay,epochs,mean,deviation,folds,seconds,remark\n";
    for (size_t i = 0; i < search.trials.size(); ++i) {
      const AutoTrial& t = search.trials[i];
      std::string remark = i == search.chosen ? "chosen" : t.remark;
      std::replace(remark.begin(), remark.end(), ',', ';');
      stream << t.settings.head << ',' << t.settings.freeze << ',' << t.settings.lr << ',' << t.settings.weight_decay
             << ',' << t.settings.epochs << ',' << t.folds.mean << ',' << t.folds.deviation << ','
             << t.folds.scores.size() << ',' << t.folds.seconds << ',' << remark << '\n';
    }
  });
}

void tell(const AutoSearch& search, Task task, const TrainListener& listener) {
  listener.note(formatted("%-10s %-8s %10s %12s %7s %8s %10s %7s  ", "head", "freeze", "rate", "weight decay", "epochs",
                          score_names(task).first, "deviation", "s"));
  for (size_t i = 0; i < search.trials.size(); ++i) {
    const AutoTrial& t = search.trials[i];
    listener.note(formatted("%-10s %-8s %10.4g %12.4g %7d %8.4f %10.4f %7.2f  %s", t.settings.head.c_str(),
                            t.settings.freeze.c_str(), static_cast<double>(t.settings.lr),
                            static_cast<double>(t.settings.weight_decay), t.settings.epochs, t.folds.mean,
                            t.folds.deviation, t.folds.seconds, i == search.chosen ? "chosen" : t.remark.c_str()));
  }
}

/// The settings that a search chose, of its record. Throws Error where it did not come so far.
AutoSettings chosen_before(const std::string& record, const std::string& place) {
  std::istringstream lines(record);
  for (std::string line; std::getline(lines, line);) {
    if (!line.ends_with(",chosen")) continue;
    std::istringstream stream(line);
    AutoSettings settings;
    char comma = 0;
    if (std::getline(stream, settings.head, ',') && std::getline(stream, settings.freeze, ',') &&
        stream >> settings.lr >> comma >> settings.weight_decay >> comma >> settings.epochs)
      return settings;
  }
  throw Error(place + ": does not say which settings were chosen", "search again", ErrorCode::corrupt_file);
}

}  // namespace

AutoSearch search_settings(FinetuneSettings& s, TrainOptions& train, const Graph& base, FeatureStore& store,
                           int classes, const TrainListener& listener, const Backend& backend) {
  const auto optimizer = make_optimizer(train.optimizer);
  const AutoSettings given{
      s.head.name, s.freeze, train.rate.lr > 0 ? train.rate.lr : optimizer->default_lr(),
      train.regularisation.weight_decay < 0 ? optimizer->default_weight_decay() : train.regularisation.weight_decay,
      s.epochs};
  const auto with = [&](const AutoSettings& chosen) {
    FinetuneSettings settings = s;
    settings.head.name = chosen.head;
    settings.freeze = chosen.freeze;
    settings.epochs = chosen.epochs;
    return settings;
  };
  const auto make = [&](const AutoSettings& chosen, TrainOptions& options) {
    const FinetuneSettings settings = with(chosen);
    options.loss = chosen_loss(settings, train.task);
    Network network = make_network(base, settings, classes);
    return AutoNetwork{std::move(network.graph), network.head.parameters};
  };
  AutoFreedom freedom = s.search_freedom;
  freedom.head = freedom.head && train.task == Task::classes && s.loss.name.empty();
  freedom.rate = freedom.rate && !optimizer->minimises();
  freedom.freeze = freedom.freeze && !optimizer->minimises();
  freedom.epochs = freedom.epochs && !optimizer->minimises();  // a descent ends by itself
  const int folds = static_cast<int>(std::clamp<int64_t>(store.training(), 2, kFolds));
  // What a search comes to depends on the time it has: a run that goes on, or is repeated, keeps what was chosen.
  const bool known = s.resume || !s.recipe.empty();
  AutoSearch search;
  if (known) {
    compute_features(make, given, freedom, store, train, listener, backend);
    search.trials = {
        {s.resume ? chosen_before(read_text(s.search_record), s.search_record) : chosen_before(s.recipe, "recipe"),
         {},
         "as it was chosen before"}};
  } else
    search = choose_settings(make, given, freedom, store, classes, folds, s.search_seconds, train, listener, backend);
  if (!s.resume) {
    tell(search, train.task, listener);
    if (!s.search_record.empty()) write_trials(s.search_record, search);
  }
  const AutoSettings& chosen = search.trials[search.chosen].settings;
  s = with(chosen);
  train.loss = chosen_loss(s, train.task);
  train.rate.lr = chosen.lr;
  train.length.epochs = chosen.epochs;
  train.regularisation.weight_decay = chosen.weight_decay;
  return search;
}

}  // namespace graft
