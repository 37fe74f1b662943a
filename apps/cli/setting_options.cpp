#include "apps/cli/setting_options.h"

#include "apps/cli/usage.h"

namespace graft::app {
namespace {

std::string problem_of(const SettingInfo& setting, const std::string& text) {
  try {
    check_setting(setting, text);
    return {};
  } catch (const Error& error) {
    const std::string what = error.what(), place = setting.name + ": ";
    return what.starts_with(place) ? what.substr(place.size()) : what;
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ",") + word;
  return all;
}

std::string plural(const std::string& topic) { return topic + (topic.ends_with('s') ? "es" : "s"); }

std::string upper(std::string word) {
  for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return word;
}

/// A setting that several components have, as one option.
struct Shared {
  SettingInfo first;
  std::vector<SettingInfo> all;
  std::vector<std::pair<std::string, std::string>> helps;  // with whose it is, in front

  void add(const std::string& component, const SettingInfo& setting) {
    all.push_back(setting);
    const std::string help = help_text(setting);
    for (auto& [owners, text] : helps)
      if (text == help) {
        owners += ", " + component;
        return;
      }
    helps.emplace_back(component, help);
  }
  std::string help() const {
    std::string text;
    for (const auto& [owners, help] : helps) text += (text.empty() ? "" : "; ") + owners + ": " + help;
    return text;
  }
};

}  // namespace

std::string help_text(const SettingInfo& setting) {
  std::string details = range_text(setting);
  const auto add = [&](const std::string& text) { details += (details.empty() ? "" : ", ") + text; };
  if (!setting.unit.empty()) details += (details.empty() ? "in " : " ") + setting.unit;
  if (setting.kind != SettingKind::flag && !setting.default_text.empty()) add("default " + setting.default_text);
  return setting.help + (details.empty() ? "" : " (" + details + ")");
}

CLI::Option* SettingOptions::add_option(const std::string& title, const SettingInfo& setting,
                                        const std::shared_ptr<SettingValues>& values) {
  const std::string flag = "--" + setting.name;
  CLI::Option* option = nullptr;
  const auto keep = [values, name = setting.name](const std::string& text) { (*values)[name] = text; };
  if (setting.kind == SettingKind::flag)
    option = command_.add_flag_function(flag, [keep](std::int64_t count) { keep(count > 0 ? "true" : "false"); });
  else if (setting.kind == SettingKind::list)
    option = command_
                 .add_option_function<std::vector<std::string>>(
                     flag, [keep](const std::vector<std::string>& words) { keep(joined(words)); })
                 ->delimiter(',')
                 ->allow_extra_args(false);
  else
    option = command_.add_option_function<std::string>(flag, keep);
  if (setting.kind != SettingKind::flag) {
    option->type_name(upper(name_of(setting.kind)))->default_str(setting.default_text);
    option->check(CLI::Validator([setting](std::string& text) { return problem_of(setting, text); }, ""));
  }
  return option->description(setting.help)->group(title);
}

void SettingOptions::add_components(const std::string& topic, const std::vector<ComponentInfo>& components) {
  const auto values = std::make_shared<SettingValues>();
  topics_[topic] = {&components, values};
  std::map<std::string, Shared> settings;
  for (const ComponentInfo& component : components)
    for (const SettingInfo& setting : component.settings) {
      const auto known = settings.try_emplace(setting.name, Shared{setting, {}, {}}).first;
      known->second.add(component.name, setting);
    }
  for (const auto& [name, shared] : settings) {
    SettingInfo one = shared.first;
    one.default_text.clear();  // differs from component to component, and is told in the help
    // As far as any of them goes; the one that is chosen looks again.
    for (const SettingInfo& other : shared.all) {
      one.low = std::min(one.low, other.low);
      one.high = std::max(one.high, other.high);
    }
    add_option(std::string(kAdvanced) + "settings of " + plural(topic), one, values)->description(shared.help());
    topic_of_[name] = topic;
  }
}

void SettingOptions::apply() const {
  for (const auto& read : groups_) read();
}

SettingValues SettingOptions::given(const std::string& topic) const { return *topics_.at(topic).values; }

Choice SettingOptions::completed(const std::string& topic, Choice choice) const {
  const std::vector<ComponentInfo>& components = *topics_.at(topic).components;
  for (const auto& [name, text] : given(topic)) choice.values[name] = text;
  const Choice kept = narrowed(choice, components);
  for (const auto& [name, text] : choice.values) {
    if (kept.values.contains(name)) continue;
    std::string owners;
    for (const ComponentInfo& component : components)
      for (const SettingInfo& setting : component.settings)
        if (setting.name == name) owners += (owners.empty() ? "" : ", ") + component.name;
    throw Error("is not a setting of " + choice.name,
                owners.empty() ? "leave it out" : "leave it out, or choose one that has it (" + owners + ")")
        .about(name);
  }
  return choice;
}

std::string config_lines(const Choice& choice, const std::vector<ComponentInfo>& components) {
  const ComponentInfo* component = find_component(components, choice.name);
  std::string lines;
  for (const SettingInfo& setting : component ? component->settings : std::vector<SettingInfo>{}) {
    const auto given = choice.values.find(setting.name);
    const std::string& text = given == choice.values.end() ? setting.default_text : given->second;
    if (text.empty()) continue;
    lines += setting.name + "=";
    lines += setting.kind == SettingKind::list   ? "[" + text + "]"
             : setting.kind == SettingKind::text ? "\"" + text + "\""
                                                 : text;
    lines += "\n";
  }
  return lines;
}

}  // namespace graft::app
