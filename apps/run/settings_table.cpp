#include "apps/run/settings_table.h"

#include <cstdlib>
#include <set>
#include <sstream>

namespace graft::app {
namespace {

constexpr const char* kNotSet = "not set";

/// 0.29999999999999999 as 0.3.
std::string in_short(const std::string& value) {
  char* end = nullptr;
  const double number = std::strtod(value.c_str(), &end);
  if (value.empty() || *end != 0) return value;
  std::ostringstream text;
  text << number;
  return text.str();
}

}  // namespace

void complete_settings(std::vector<SettingsTable>& runs, const CLI::App& finetune) {
  SettingsTable usual;
  for (const CLI::Option* option : finetune.get_options()) {
    const bool says_nothing = option->get_group() == "Output" || option->get_lnames().empty();
    if (!says_nothing) usual[option->get_lnames()[0]] = option->get_default_str();
  }
  std::set<std::string> names;
  for (SettingsTable& run : runs) {
    std::erase_if(run, [&](const auto& setting) {
      return !usual.contains(setting.first) && setting.first != "model" && setting.first != "data";
    });
    for (auto& [name, value] : run) {
      value = in_short(value);
      const bool by_itself = (name == "budget" && value == "-1") || (name == "lr" && value == "0") ||
                             (name == "weight-decay" && value == "-1");
      if (by_itself) value = kNotSet;
      names.insert(name);
    }
  }
  for (SettingsTable& run : runs)
    for (const std::string& name : names) {
      if (run.contains(name)) continue;
      const std::string& value = usual[name];
      run[name] = value.empty() || value == "0" || value == "-1" ? kNotSet : in_short(value);
    }
}

std::vector<std::string> settings_that_differ(const std::vector<SettingsTable>& runs) {
  std::vector<std::string> names;
  for (const auto& [name, value] : runs.at(0)) {
    std::set<std::string> values;
    for (const SettingsTable& run : runs)
      if (run.at(name) != kNotSet) values.insert(run.at(name));
    if (values.size() > 1) names.push_back(name);
  }
  return names;
}

}  // namespace graft::app
