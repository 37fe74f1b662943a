#pragma once

#include <string>
#include <vector>

#include "finetune/training/trainer.h"
#include "graft/report.h"

namespace graft {

/// The learning-rate range test: trains a copy of the graph while the rate of the head climbs from `low` to `high` by
/// the same factor each batch, until the loss is four times its best. [Smith 2017; smoothing and steepest point as
/// fastai has them]. `graph` stays as it is.
RateSearch find_rate(const Graph& graph, const std::vector<std::string>& head, const SampleSource& training,
                     const SampleSource& validation, int classes, const TrainOptions& options,
                     const TrainListener& listener, const Backend& backend, double low = 1e-6, double high = 10,
                     int batches = 100);

}  // namespace graft
