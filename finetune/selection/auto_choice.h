#pragma once

#include <functional>
#include <string>
#include <vector>

#include "finetune/heads/head.h"
#include "finetune/selection/cross_validation.h"
#include "graft/report.h"

namespace graft {

/// A network as the settings want it, marked as for train(), with the names of its head's values.
struct AutoNetwork {
  Graph graph;
  std::vector<std::string> head;
};

/// Looks for a rate, a weight decay, a number of epochs, a head and a depth of training that are better than those
/// given, by cross-validation on the training pictures of `store`, until `seconds` are over. One thing is varied at a
/// time, from what was best so far; a candidate takes its place only where it is better on the same folds by clearly
/// more than one standard error of the difference, so that noise alone moves little. A depth whose features cannot be
/// kept is left out, which `listener.note` is told. `make` builds the network and adapts the options (a loss that
/// belongs to the head). Throws the Error of a trial that fails.
AutoSearch choose_settings(const std::function<AutoNetwork(const AutoSettings&, TrainOptions&)>& make,
                           const AutoSettings& given, const AutoFreedom& freedom, FeatureStore& store, int classes,
                           int folds, double seconds, const TrainOptions& options, const TrainListener& listener,
                           const Backend& backend);

/// Has `store` compute what a search from `given` would, in the same pass: so that a run with settings that a search
/// chose trains on the same bits.
void compute_features(const std::function<AutoNetwork(const AutoSettings&, TrainOptions&)>& make,
                      const AutoSettings& given, const AutoFreedom& freedom, FeatureStore& store,
                      const TrainOptions& options, const TrainListener& listener, const Backend& backend);

}  // namespace graft
