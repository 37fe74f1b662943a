#pragma once

#include <string>
#include <vector>

#include "finetune/data/task.h"
#include "finetune/heads/freeze.h"
#include "finetune/heads/head.h"
#include "graft/settings.h"

namespace graft {

/// The network that a run trains: a new head on the model's graph, marked by what is frozen.
struct Network {
  Graph graph;
  GraftedHead head;
  std::vector<size_t> joined_parts;  // as join_layers gives them
  FreezeResult freeze;
  int skippable_branches = 0;  // of stochastic depth
};

/// `base`: the model's graph, its picture's size known. Reads head, freeze and regularisation of `settings`. `joined`:
/// whether the head, a linear one, reads averages of earlier layers, too (see join_layers). Throws Error.
Network make_network(const Graph& base, const FinetuneSettings& settings, int64_t classes, bool joined = false);

/// The head and the loss that the settings mean, with what was given of their settings; what a component does not have
/// is left out, since a search for settings tries several. Throws Error.
Choice chosen_head(const FinetuneSettings& settings);
Choice chosen_loss(const FinetuneSettings& settings, Task task);

/// Throws Error, about the setting, where head or loss are given settings that they do not have.
void check_components(const FinetuneSettings& settings, Task task);

}  // namespace graft
