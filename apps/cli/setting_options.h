#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/component.h"

namespace graft::app {

/// Options of a subcommand that follow from what components and groups of settings say of themselves.
class SettingOptions {
 public:
  explicit SettingOptions(CLI::App& command) : command_(command) {}

  /// An option for each setting of `group`, which outlives this object, in the help's group of that name; apply() sets
  /// its members. `title`: how errors call the group.
  template <typename Group>
  void add_group(const std::string& title, const std::string& help_group, Group& group) {
    const auto values = std::make_shared<SettingValues>();
    for (const SettingInfo& setting : settings_of(group)) add_option(help_group, setting, values);
    groups_.push_back([values, &group, title] { group = read_settings(*values, title, group); });
  }

  /// An option for each setting that any of the components has; its help says whose it is. Names belong to one topic.
  void add_components(const std::string& topic, const std::vector<ComponentInfo>& components);

  /// Once the command line is read.
  void apply() const;
  /// What was given of the settings of a topic's components.
  SettingValues given(const std::string& topic) const;
  /// `choice` with what was given of its topic. Throws Error for a setting that the component does not have.
  Choice completed(const std::string& topic, Choice choice) const;
  /// True for a setting of a component, under its name without hyphens in front.
  bool is_of_component(const std::string& name) const { return topic_of_.contains(name); }

 private:
  CLI::Option* add_option(const std::string& title, const SettingInfo& setting,
                          const std::shared_ptr<SettingValues>& values);
  struct Topic {
    const std::vector<ComponentInfo>* components;
    std::shared_ptr<SettingValues> values;
  };
  CLI::App& command_;
  std::vector<std::function<void()>> groups_;
  std::map<std::string, Topic> topics_;
  std::map<std::string, std::string> topic_of_;
};

/// "λ (0…1 epochs, default 0.5)"
std::string help_text(const SettingInfo& setting);

/// Lines of a config file that set everything of `choice`.
std::string config_lines(const Choice& choice, const std::vector<ComponentInfo>& components);

}  // namespace graft::app
