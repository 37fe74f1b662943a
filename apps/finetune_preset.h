#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "apps/finetune_job.h"

namespace graft::app {

std::vector<std::string> preset_names();

/// Settles what `options.preset` stands for, except where the user said otherwise on the command line or in the config
/// file.
void apply_preset(FinetuneOptions& options, const CLI::App& command);

}  // namespace graft::app
