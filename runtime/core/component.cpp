#include "runtime/core/component.h"

#include <sstream>

namespace graft {

const ComponentInfo* find_component(const std::vector<ComponentInfo>& known, const std::string& name) {
  const auto at =
      std::find_if(known.begin(), known.end(), [&](const ComponentInfo& info) { return info.name == name; });
  return at == known.end() ? nullptr : &*at;
}

Error unknown_component(const std::string& kind, const std::string& setting, const std::string& name,
                        const std::vector<ComponentInfo>& known) {
  std::string names;
  for (const ComponentInfo& info : known) names += " " + info.name;
  return Error("unknown " + kind + " \"" + name + "\"", "known are" + names, ErrorCode::not_found).about(setting);
}

Choice parse_choice(const std::string& text, const std::string& kind, const std::string& setting,
                    const std::vector<ComponentInfo>& known) {
  std::istringstream parts(text);
  Choice choice;
  std::getline(parts, choice.name, ':');
  const ComponentInfo* info = find_component(known, choice.name);
  if (!info) throw unknown_component(kind, setting, choice.name, known);
  size_t position = 0;
  for (std::string part; std::getline(parts, part, ':');) {
    const size_t equals = part.find('=');
    if (equals != std::string::npos) {
      choice.values[part.substr(0, equals)] = part.substr(equals + 1);
    } else {
      if (position == info->settings.size())
        throw Error(text + ": " + choice.name + " has " + std::to_string(position) + " settings").about(setting);
      choice.values[info->settings[position++].name] = part;
    }
  }
  return choice;
}

Choice narrowed(Choice choice, const std::vector<ComponentInfo>& known) {
  const ComponentInfo* info = find_component(known, choice.name);
  std::erase_if(choice.values, [&](const auto& value) {
    return !info || std::none_of(info->settings.begin(), info->settings.end(),
                                 [&](const SettingInfo& s) { return s.name == value.first; });
  });
  return choice;
}

}  // namespace graft
