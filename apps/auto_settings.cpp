#include "apps/auto_settings.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "apps/finetune_network.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

namespace graft::app {
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
    stream << "head,freeze,lr,weight_decay,mean,deviation,folds,seconds,remark\n";
    for (size_t i = 0; i < search.trials.size(); ++i) {
      const AutoTrial& t = search.trials[i];
      std::string remark = i == search.chosen ? "chosen" : t.remark;
      std::replace(remark.begin(), remark.end(), ',', ';');
      stream << t.settings.head << ',' << t.settings.freeze << ',' << t.settings.lr << ',' << t.settings.weight_decay
             << ',' << t.folds.mean << ',' << t.folds.deviation << ',' << t.folds.scores.size() << ','
             << t.folds.seconds << ',' << remark << '\n';
    }
  });
}

void tell(const AutoSearch& search, Task task, const TrainListener& listener) {
  listener.note(formatted("%-10s %-8s %10s %12s %8s %10s %7s  ", "head", "freeze", "rate", "weight decay",
                          score_names(task).first, "deviation", "s"));
  for (size_t i = 0; i < search.trials.size(); ++i) {
    const AutoTrial& t = search.trials[i];
    listener.note(formatted("%-10s %-8s %10.4g %12.4g %8.4f %10.4f %7.2f  %s", t.settings.head.c_str(),
                            t.settings.freeze.c_str(), static_cast<double>(t.settings.lr),
                            static_cast<double>(t.settings.weight_decay), t.folds.mean, t.folds.deviation,
                            t.folds.seconds, i == search.chosen ? "chosen" : t.remark.c_str()));
  }
}

/// The settings that an interrupted run chose. Throws Error where it did not come so far.
AutoSettings chosen_before(const std::string& path) {
  for (const std::string& line : read_lines(path)) {
    if (!line.ends_with(",chosen")) continue;
    std::istringstream stream(line);
    AutoSettings settings;
    char comma = 0;
    if (std::getline(stream, settings.head, ',') && std::getline(stream, settings.freeze, ',') &&
        stream >> settings.lr >> comma >> settings.weight_decay)
      return settings;
  }
  throw Error(path + ": does not say what was chosen", "start the run without --resume");
}

}  // namespace

AutoSearch choose_automatically(FinetuneOptions& o, const Graph& base, const SampleSource& source, int classes,
                                const TrainListener& listener) {
  const auto optimizer = make_optimizer(o.train.optimizer);
  AutoSettings given{o.head, o.freeze.policy, o.train.rate.lr > 0 ? o.train.rate.lr : optimizer->default_lr(),
                     o.train.regularisation.weight_decay < 0 ? optimizer->default_weight_decay()
                                                             : o.train.regularisation.weight_decay};
  const auto with = [&](const AutoSettings& s) {
    FinetuneOptions options = o;
    options.head = s.head;
    options.freeze.policy = s.freeze;
    options.train.loss = chosen_loss(options);
    return options;
  };
  const auto make = [&](const AutoSettings& s, TrainOptions& train) {
    const FinetuneOptions options = with(s);
    train.loss = options.train.loss;
    Network network = make_network(base, options, classes);
    return AutoNetwork{std::move(network.graph), network.head.parameters};
  };
  AutoFreedom freedom = o.freedom;
  freedom.head = freedom.head && o.train.task == Task::classes && o.loss.empty();
  freedom.rate = freedom.rate && !optimizer->minimises();
  freedom.freeze = freedom.freeze && !optimizer->minimises();
  const std::string path = (std::filesystem::path(o.output) / "auto.csv").string();
  // What a search comes to depends on the time it has: a run that goes on keeps what was chosen.
  AutoSearch search = o.train.checkpoint.resume ? AutoSearch{{{chosen_before(path), {}, ""}}, 0, 0}
                                                : choose_settings(make, given, freedom, source, classes, kFolds,
                                                                  o.auto_seconds, o.train, listener, backend(o.common));
  if (!o.train.checkpoint.resume) {
    tell(search, o.train.task, listener);
    write_trials(path, search);
  }
  const AutoSettings& chosen = search.trials[search.chosen].settings;
  o = with(chosen);
  o.train.rate.lr = chosen.lr;
  o.train.regularisation.weight_decay = chosen.weight_decay;
  return search;
}

}  // namespace graft::app
