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

/// Looks for a rate, a weight decay, a head and a depth of training that are better than those given, by
/// cross-validation on cached features of `source`, until `seconds` are over. One thing is varied at a time, from what
/// was best so far; a candidate takes its place only where it is better on the same folds by clearly more than one
/// standard error of the difference, so that noise alone moves little. `make` builds the network and adapts the options
/// (a loss that belongs to the head).
AutoSearch choose_settings(const std::function<AutoNetwork(const AutoSettings&, TrainOptions&)>& make,
                           const AutoSettings& given, const AutoFreedom& freedom, const SampleSource& source,
                           int classes, int folds, double seconds, const TrainOptions& options,
                           const TrainListener& listener, const Backend& backend);

}  // namespace graft
