#pragma once

#include "apps/finetune_job.h"
#include "finetune/selection/auto_choice.h"

namespace graft::app {

/// Looks for better settings than those of `options` (see choose_settings), puts them there, and writes what was tried
/// to RUN/auto.csv and, as a table, to `listener.note`. A resumed run takes what auto.csv says was chosen. `base` as
/// for make_network; `source`: the training pictures alone.
AutoSearch choose_automatically(FinetuneOptions& options, const Graph& base, const SampleSource& source, int classes,
                                const TrainListener& listener);

}  // namespace graft::app
