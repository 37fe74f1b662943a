#pragma once

#include <functional>

#include "graft/finetune.h"
#include "graft/listener.h"

namespace graft {

/// A whole run from the model to the model, with these settings.
using SeedRun = std::function<FinetuneResult(const FinetuneSettings& settings, Listener& listener)>;

/// The scores of the settings.seeds - 1 runs with the seeds that follow settings.seed, without folds or checkpoint.
/// What diverges is left out, and said. Fewer where the listener stops it. Throws what `run` throws.
SeedsResult repeat_with_seeds(FinetuneSettings settings, const SeedRun& run, Listener& listener);

/// Puts the run's own score before those of result.seeds, and says how far they lie apart.
void tell_seeds(FinetuneResult& result, Listener& listener);

}  // namespace graft
