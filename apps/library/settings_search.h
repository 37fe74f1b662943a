#pragma once

#include "finetune/selection/auto_choice.h"
#include "graft/settings.h"
#include "runtime/core/graph.h"

namespace graft {

/// Looks for better settings than those given (see choose_settings), puts them into `settings` and `options`, and
/// writes what was tried to settings.search_record and, as a table, to `listener.note`. A resumed run takes what that
/// record says was chosen. `base` as for make_network; of `store` the training pictures alone are looked at. Throws
/// Error.
AutoSearch search_settings(FinetuneSettings& settings, TrainOptions& options, const Graph& base, FeatureStore& store,
                           int classes, const TrainListener& listener, const Backend& backend);

}  // namespace graft
