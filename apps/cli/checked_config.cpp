#include "apps/cli/checked_config.h"

#include <algorithm>

#include "runtime/core/error.h"

namespace graft::app {
namespace {

/// Letters to change, add or leave out.  [Levenshtein 1966]
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_configurable()) continue;
    names.insert(names.end(), option->get_lnames().begin(), option->get_lnames().end());
    names.insert(names.end(), option->get_snames().begin(), option->get_snames().end());
    if (option->get_positional()) names.push_back(option->get_name(/*positional=*/true));
  }
  return names;
}

[[noreturn]] void refuse(const std::string& what, const std::string& word, const std::vector<std::string>& known) {
  throw Error("the config file has an unknown " + what + " \"" + word + "\"",
              known.empty() ? "" : "the closest is \"" + closest_word(word, known) + "\"", ErrorCode::not_found);
}

/// CLI11 reads what a flag is set to as a number, and says nothing of use where it is none.
void require_switch(const CLI::App& command, const CLI::ConfigItem& item) {
  const CLI::Option* option = command.get_option_no_throw("--" + item.name);
  if (!option || option->get_items_expected_max() > 0) return;
  for (const std::string& value : item.inputs)
    if (value != "true" && value != "false")
      throw Error("the config file sets \"" + item.name + "\" to \"" + value + "\"", "use true or false");
}

}  // namespace

std::string closest_word(const std::string& word, const std::vector<std::string>& known) {
  return *std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
    return distance(word, a) < distance(word, b);
  });
}

std::vector<CLI::ConfigItem> CheckedConfig::from_config(std::istream& input) const {
  std::vector<CLI::ConfigItem> found = ConfigBase::from_config(input);
  for (const CLI::ConfigItem& item : found) {
    const CLI::App* command = &program_;
    for (const std::string& section : item.parents) {
      std::vector<std::string> sections;
      for (const CLI::App* sub : command->get_subcommands([](const CLI::App*) { return true; }))
        sections.push_back(sub->get_name());
      if (std::find(sections.begin(), sections.end(), section) == sections.end()) refuse("section", section, sections);
      command = command->get_subcommand(section);
    }
    if (item.name == "++" || item.name == "--") continue;  // the beginning and the end of a section
    if (command == &program_)
      throw Error("the config file has \"" + item.name + "\" outside a section",
                  "put it below the subcommand that it is meant for: [finetune]");
    const std::vector<std::string> names = option_names(*command);
    if (std::find(names.begin(), names.end(), item.name) == names.end()) refuse("key", item.name, names);
    require_switch(*command, item);
  }
  return found;
}

}  // namespace graft::app
