#pragma once

#include <string>

#include "apps/finetune_job.h"

namespace graft::app {

/// Creates the folder where it is not there. Throws Error where nothing can be written to it.
void make_folder(const std::string& path);

/// Makes room for a run. Throws Error where there is one in the folder, finished or not, that is not to be overwritten.
void take_folder(const std::string& folder, bool overwrite);

/// config.toml.
void write_config(const std::string& folder, const std::string& config);
/// history.csv, loss.svg, score.svg and metrics.json of a run.
void write_run(const std::string& folder, const FinetuneReport& report);
/// augment.toml, where the augmentation comes from a file (see resolved_augmentation).
void write_augmentation(const std::string& folder, const std::string& augmentation);
/// rates.csv and rates.svg of a range test.
void write_rates(const std::string& folder, const RateSearch& search);

/// What --json prints.
std::string to_json_text(const FinetuneReport& report);

}  // namespace graft::app
