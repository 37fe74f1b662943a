#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

namespace graft::app {

/// What runs were given, by the names of options.
using SettingsTable = std::map<std::string, std::string>;

/// Makes tables of runs comparable: without what says only where results go, numbers in their shortest form, and with
/// the usual value, as `finetune` declares it, where one of them leaves out what another sets.
void complete_settings(std::vector<SettingsTable>& runs, const CLI::App& finetune);

/// The names of what not all runs set alike, sorted; of completed tables, at least one. What a run leaves to itself
/// differs from nothing.
std::vector<std::string> settings_that_differ(const std::vector<SettingsTable>& runs);

}  // namespace graft::app
