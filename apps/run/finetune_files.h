#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "apps/run/finetune_job.h"

namespace graft::app {

/// Creates the folder where it is not there. Throws Error where nothing can be written to it.
void make_folder(const std::string& path);

/// Throws Error where there is a run in the folder, finished or not.
void require_no_run(const std::string& folder);
/// Takes away what a run before has left.
void remove_run(const std::string& folder);

/// config.toml.
void write_config(const std::string& folder, const std::string& config);
/// history.csv, loss.svg, score.svg and metrics.json of a run.
void write_run(const std::string& folder, const FinetuneReport& report);
/// augment.toml, where the augmentation comes from a file (see resolved_augmentation).
void write_augmentation(const std::string& folder, const std::string& augmentation);
/// rates.csv and rates.svg of a range test.
void write_rates(const std::string& folder, const RateSearch& search);

/// What a search tried, in order.
nlohmann::json trials_json(const RecipeSearch& recipe);

/// What --json prints.
nlohmann::json to_json(const FinetuneReport& report);

}  // namespace graft::app
