#pragma once

#include <string>
#include <vector>

#include "finetune/features/feature_cache.h"
#include "finetune/heads/insert_norms.h"
#include "finetune/selection/held_out.h"
#include "finetune/selection/linear_candidate.h"
#include "finetune/selection/recipe_problem.h"
#include "finetune/training/trainer.h"

namespace graft {

/// Pictures in a batch of a training of layers below the head, at most.
inline constexpr int64_t kDepthBatch = 16;

/// Writes a fitted head into a network's.
void set_head(Graph& graph, const std::vector<std::string>& head, const LinearHeadWeights& weights);

/// What activations of a problem's network look like, by some of its training pictures in a form's preprocessing; empty
/// for networks that batch norms are nothing to add to.
NormStatistics measure_activations(const RecipeProblem& problem, const PictureForm& form, const TrainOptions& options,
                                   const Backend& backend);

/// How a head and layers below it are trained: AdamW, batch norms by their batches. `head`: names of its values;
/// `trunk_rate`: the learning rate below the head, as a part of the largest that such layers bear.
TrainOptions depth_options(const TrainOptions& options, const Graph& graph, const std::vector<std::string>& head,
                           int epochs, double trunk_rate);

/// What a network is worth on the pictures of a source, in their plain view, weighed by the options' class weights.
/// Those that cannot be read are left out.
HeldOut judge_network(const Graph& graph, const SampleSource& pictures, const TrainOptions& options,
                      const Backend& backend);

/// The same of what is behind a boundary, by the rows that are kept there of the plain views of `samples`.
HeldOut judge_rows(const Graph& rest, const FeatureRows& rows, const std::vector<int64_t>& samples,
                   const SampleSource& source, const TrainOptions& options, const Backend& backend);

}  // namespace graft
