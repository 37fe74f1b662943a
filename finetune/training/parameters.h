#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "finetune/optimizers/optimizer.h"
#include "finetune/training/trainer.h"
#include "runtime/plan/plan.h"

namespace graft {

/// The name of each constant of a graph.
std::map<const Tensor*, std::string> constant_names(const Graph& graph);

/// Throws Error (internal) where update rules, which walk a parameter and its gradient side by side, would mix up their
/// numbers.
void require_row_major_gradients(const TrainingPlan& plan);

/// What a plan of `graph` trains: values of `head` at the full rate, the others at their part of it [Howard & Ruder
/// 2018, discriminative rates], with `weight_decay` and L1 on those that decay. `names` knows all constants.
std::vector<Parameter> trained_parameters(const Graph& graph, const TrainingPlan& plan,
                                          const std::map<const Tensor*, std::string>& names,
                                          const std::set<std::string>& head, const TrainOptions& options,
                                          float weight_decay);

}  // namespace graft
