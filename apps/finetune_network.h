#pragma once

#include <string>

#include "apps/finetune_job.h"
#include "finetune/heads/head.h"

namespace graft::app {

/// The network that a run trains: a new head on the model's graph, marked by what is frozen.
struct Network {
  Graph graph;
  GraftedHead head;
  FreezeResult freeze;
  int skippable_branches = 0;  // of stochastic depth
};

/// `base`: the model's graph, its picture's size settled. Reads head, freeze and regularisation of `options`. Throws
/// Error.
Network make_network(const Graph& base, const FinetuneOptions& options, int64_t classes);

/// The head and the loss that the options mean, with what was given of their settings; what a component does not have
/// is left out, since a search for settings tries several. Throws Error.
Choice chosen_head(const FinetuneOptions& options);
Choice chosen_loss(const FinetuneOptions& options);

/// The loss that is meant where none is given.
std::string default_loss(Task task, const std::string& head);

}  // namespace graft::app
