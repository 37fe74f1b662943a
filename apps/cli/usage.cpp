#include "apps/cli/usage.h"

#include <algorithm>
#include <cctype>

#include "apps/cli/checked_config.h"

namespace graft::app {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : " | ") + word;
  return all;
}

std::vector<std::string> option_flags(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  return flags;
}

/// The command that was named; the program where none was.
const CLI::App& command_of(const CLI::App& app) {
  const std::vector<const CLI::App*> named =
      app.get_subcommands([](const CLI::App* command) { return command->parsed(); });
  return named.empty() ? app : *named.back();
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

}  // namespace

std::string GroupedHelp::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  std::string text = make_description(app) + make_usage(app, std::move(name)) + make_positionals(app);
  size_t hidden = 0;
  // What every command has comes last.
  std::vector<std::string> groups = app->get_groups();
  std::stable_partition(groups.begin(), groups.end(), [](const std::string& group) {
    return group != "Computing" && group != "Output" && group != "Pictures" && !group.starts_with(kAdvanced);
  });
  for (const std::string& group : groups) {
    const std::vector<const CLI::Option*> options = app->get_options(
        [&](const CLI::Option* option) { return option->get_group() == group && option->nonpositional(); });
    if (group.empty() || options.empty()) continue;
    if (mode == CLI::AppFormatMode::Normal && group.starts_with(kAdvanced))
      hidden += options.size();
    else
      text += make_group(group, false, options);
  }
  if (hidden > 0) text += "\n" + std::to_string(hidden) + " more options: --help-all shows them\n";
  return text + make_subcommands(app, mode) + "\n" + make_footer(app);
}

std::string examples(const std::vector<std::string>& lines) {
  std::string text = "Examples:";
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

CLI::Validator one_of(std::vector<std::string> names) {
  return CLI::Validator(
      [names = std::move(names)](std::string& text) -> std::string {
        const auto same = std::find_if(names.begin(), names.end(),
                                       [&](const std::string& name) { return lower(name) == lower(text); });
        if (same == names.end())
          return "\"" + text + "\" is none of " + joined(names) + "; the closest is \"" +
                 closest_word(lower(text), names) + "\"";
        text = *same;
        return {};
      },
      "");
}

CLI::Validator ends_in(std::vector<std::string> endings) {
  return CLI::Validator(
      [endings = std::move(endings)](const std::string& path) -> std::string {
        const bool fits = std::any_of(endings.begin(), endings.end(),
                                      [&](const std::string& ending) { return path.ends_with(ending); });
        if (fits) return {};
        return "\"" + path + "\" does not end in " + joined(endings);
      },
      "");
}

std::string usage_problem(const CLI::App& app, const CLI::ParseError& error,
                          const std::vector<std::string>& arguments) {
  const CLI::App& command = command_of(app);
  const std::string help =
      "graft " + (&command == &app ? std::string() : command.get_name() + " ") + "--help tells more";
  if (&command == &app) {
    // What stands behind an option of the program's own may be its value.
    const auto word = !arguments.empty() && !arguments[0].starts_with("-") ? arguments.begin() : arguments.end();
    if (arguments.empty()) return "no command is given: " + joined(command_names(app));
    if (word != arguments.end())
      return "there is no command \"" + *word + "\": the closest is \"" + closest_word(*word, command_names(app)) +
             "\"; graft --help lists them";
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    std::string unknown, superfluous;
    for (const std::string& argument : app.remaining(true)) {
      if (argument.starts_with("-") && unknown.empty()) unknown = argument.substr(0, argument.find('='));
      if (!argument.starts_with("-")) superfluous += (superfluous.empty() ? "" : " ") + argument;
    }
    if (!unknown.empty())
      return "there is no option " + unknown + ": the closest is " + closest_word(unknown, option_flags(command)) +
             "; " + help;
    if (!superfluous.empty()) return "nothing takes \"" + superfluous + "\"; " + help;
  }
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text + "; " + help;
}

}  // namespace graft::app
