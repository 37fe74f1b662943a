#pragma once

#include <string>
#include <vector>

#include "runtime/core/component.h"

namespace graft::app {

/// Components that are chosen by one option, or groups of settings that are options themselves.
struct SettingTopic {
  std::string name;
  std::string option;  // that chooses, without hyphens; empty: the settings are options
  std::string title;
  std::vector<ComponentInfo> components;
};

/// All that `graft help` knows.
std::vector<SettingTopic> setting_topics();

/// docs/settings.md
std::string settings_markdown();

/// Aligned text, and JSON, of one component.
std::string to_text(const SettingTopic& topic, const ComponentInfo& component);
std::string to_json_text(const SettingTopic& topic, const ComponentInfo& component);

}  // namespace graft::app
