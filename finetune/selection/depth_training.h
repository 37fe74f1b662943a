#pragma once

#include <string>
#include <vector>

#include "finetune/selection/held_out.h"
#include "finetune/selection/linear_candidate.h"
#include "finetune/training/trainer.h"

namespace graft {

/// Writes a fitted head into a network's.
void set_head(Graph& graph, const std::vector<std::string>& head, const LinearHeadWeights& weights);

/// How layers below a head that already fits are trained: AdamW, at one rate for all, batch norms by their batches.
TrainOptions depth_options(const TrainOptions& options, const Graph& graph, int epochs);

/// What a network is worth on the pictures of a source, in their plain view. Those that cannot be read are left out.
HeldOut judge_network(const Graph& graph, const SampleSource& pictures, const TrainOptions& options,
                      const Backend& backend);

}  // namespace graft
