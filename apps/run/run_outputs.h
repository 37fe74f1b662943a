#pragma once

#include <string>

#include "apps/run/finetune_job.h"
#include "apps/run/tensorboard.h"

namespace graft::app {

// What a run leaves once its model is written. Whatever keeps one of them from being made is told to the listener, and
// takes nothing from the run.

/// The run's config with `record`, the file that tells what was chosen, so that it repeats the run without a search; as
/// it is where there is no such file.
std::string config_of_choice(const std::string& config, const std::string& record);

/// RUN/report.html. `augment`: what training did to pictures.
void write_run_report(const FinetuneOptions& options, const std::string& augment, const Dataset& data,
                      const FinetuneReport& report, Listener& listener);

/// What TensorBoard shows of a finished run beside its curves: weights, the worst mistakes, features for its projector.
void finish_events(const FinetuneOptions& options, const Dataset& data, const FinetuneReport& report, EventFile& events,
                   Listener& listener);

/// The run in the folder of MLflow's that the options name.
void write_to_mlflow(const FinetuneOptions& options, const FinetuneReport& report, Listener& listener);

}  // namespace graft::app
