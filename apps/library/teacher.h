#pragma once

#include <memory>
#include <string>
#include <vector>

#include "finetune/training/train_options.h"
#include "graft/model.h"

namespace graft {

/// The graph of a network that teaches, for pictures of the run's size, ending in its scores in the order of `classes`.
/// Throws Error where it knows other classes or ends in a softmax.
std::shared_ptr<const Graph> teacher_graph(const Model& teacher, const std::vector<std::string>& classes,
                                           const TrainOptions& options, const Backend& backend);

}  // namespace graft
