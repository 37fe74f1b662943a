#include <algorithm>
#include <iostream>
#include <sstream>

#include "apps/cli/usage.h"
#include "apps/commands/commands.h"

namespace graft::app {
namespace {

std::vector<const CLI::App*> commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// Words that an option takes, where its help lists them: "a | b | c".
std::vector<std::string> values_of(const CLI::Option& option) {
  std::string text = option.get_description();
  text = text.substr(0, std::min({text.find_first_of(";("), text.find(": "), text.size()}));
  std::vector<std::string> values;
  for (size_t from = 0; text.find(" | ") != std::string::npos && from != std::string::npos;) {
    const size_t end = text.find(" | ", from);
    std::string word = text.substr(from, end == std::string::npos ? end : end - from);
    while (word.ends_with(' ')) word.pop_back();
    if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos && !word.empty())
      values.push_back(word);
    from = end == std::string::npos ? end : end + 3;
  }
  return values;
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
  return all;
}

/// A text inside single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string all = "'";
  for (const char c : text) all += c == '\'' ? std::string("'\\''") : std::string(1, c == '\n' ? ' ' : c);
  return all + "'";
}

std::vector<const CLI::Option*> long_options(const CLI::App& command) {
  std::vector<const CLI::Option*> options;
  for (const CLI::Option* option : command.get_options())
    if (!option->get_lnames().empty()) options.push_back(option);
  return options;
}

void bash(const CLI::App& app, std::ostream& out) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands(app)) names.push_back(command->get_name());
  out << "# graft's completion for bash: source <(graft completion bash)\n_graft() {\n"
      << "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} values= options=\n"
      << "  COMPREPLY=()\n  if [ \"$COMP_CWORD\" = 1 ]; then COMPREPLY=($(compgen -W "
      << quoted(joined(names) + " --help --version") << " -- \"$word\")); return; fi\n  case ${COMP_WORDS[1]} in\n";
  for (const CLI::App* command : commands(app)) {
    std::vector<std::string> flags;
    out << "    " << command->get_name() << ")\n      case $before in\n";
    for (const CLI::Option* option : long_options(*command)) {
      for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
      const std::vector<std::string> values = values_of(*option);
      if (!values.empty() && option->get_items_expected_max() > 0)
        out << "        --" << option->get_lnames()[0] << ") values=" << quoted(joined(values)) << " ;;\n";
    }
    out << "      esac\n      options=" << quoted(joined(flags)) << " ;;\n";
  }
  out << "  esac\n  if [ -n \"$values\" ]; then COMPREPLY=($(compgen -W \"$values\" -- \"$word\"))\n"
      << "  elif [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
      << "  fi\n}\ncomplete -o default -F _graft graft\n";
}

void zsh(const CLI::App& app, std::ostream& out) {
  const auto described = [](std::string text) {
    for (const char c : {'[', ']', ':'}) std::replace(text.begin(), text.end(), c, ' ');
    return text;
  };
  out << "#compdef graft\n# graft's completion for zsh: source <(graft completion zsh)\n_graft() {\n  local -a "
         "commands\n  commands=(\n";
  for (const CLI::App* command : commands(app))
    out << "    " << quoted(command->get_name() + ":" + described(command->get_description())) << "\n";
  out << "  )\n  if (( CURRENT == 2 )); then _describe command commands; return; fi\n  case $words[2] in\n";
  for (const CLI::App* command : commands(app)) {
    out << "    " << command->get_name() << ") shift words; (( CURRENT-- )); _arguments";
    for (const CLI::Option* option : long_options(*command)) {
      const std::vector<std::string> values = values_of(*option);
      std::string spec = "--" + option->get_lnames()[0] + "[" + described(option->get_description()) + "]";
      if (option->get_items_expected_max() > 0)
        spec += ":value:" + (values.empty() ? "_files" : "(" + joined(values) + ")");
      out << " \\\n      " << quoted(spec);
    }
    out << " \\\n      '*:file:_files' ;;\n";
  }
  out << "  esac\n}\ncompdef _graft graft\n";
}

void fish(const CLI::App& app, std::ostream& out) {
  out << "# graft's completion for fish: graft completion fish | source\n";
  for (const CLI::App* command : commands(app)) {
    out << "complete -c graft -n __fish_use_subcommand -a " << command->get_name() << " -d "
        << quoted(command->get_description()) << "\n";
    for (const CLI::Option* option : long_options(*command)) {
      const std::vector<std::string> values = values_of(*option);
      out << "complete -c graft -n '__fish_seen_subcommand_from " << command->get_name() << "' -l "
          << option->get_lnames()[0] << " -d " << quoted(option->get_description());
      const bool files = option->get_description().find("FILE") != std::string::npos;
      if (option->get_items_expected_max() > 0)
        out << (values.empty() ? " -r" : (files ? " -r -a " : " -x -a ") + quoted(joined(values)));
      out << "\n";
    }
  }
}

/// A text of a manual page, where a dot or an apostrophe at a line's beginning and backslashes mean something.
std::string in_roff(const std::string& text) {
  std::string all;
  for (const char c : text) {
    if (c == '\\')
      all += "\\e";
    else if (c == '-')
      all += "\\-";
    else
      all += c;
  }
  return all.starts_with('.') || all.starts_with('\'') ? "\\&" + all : all;
}

void manual(const CLI::App& app, std::ostream& out) {
  out << ".TH GRAFT 1\n.SH NAME\ngraft \\- "
      << in_roff(app.get_description().substr(app.get_description().find(' ') + 1))
      << "\n.SH SYNOPSIS\n.B graft\n.I COMMAND\n[\n.I OPTIONS\n]\n";
  for (const CLI::App* command : commands(app)) {
    out << ".SH GRAFT " << command->get_name() << "\n" << in_roff(command->get_description()) << ".\n";
    for (const CLI::Option* option : command->get_options()) {
      out << ".TP\n.B " << in_roff(option->get_name(option->get_positional(), true));
      if (!option->get_default_str().empty()) out << " (" << in_roff(option->get_default_str()) << ")";
      out << "\n" << in_roff(option->get_description()) << "\n";
    }
    std::istringstream foot(command->get_footer());
    if (!command->get_footer().empty()) out << ".PP\n.nf\n";
    for (std::string line; std::getline(foot, line);) out << in_roff(line) << "\n";
    if (!command->get_footer().empty()) out << ".fi\n";
  }
}

}  // namespace

void register_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  auto* command = app.add_subcommand("completion",
                                     "Print what a shell completes graft's commands and options by, or a manual page");
  command->footer(examples(
      {"source <(graft completion bash)", "graft completion fish | source", "graft completion man > graft.1"}));
  command->add_option("shell", *shell, "bash | zsh | fish | man")
      ->required()
      ->transform(one_of({"bash", "zsh", "fish", "man"}));
  command->callback([shell, &app] {
    if (*shell == "bash")
      bash(app, std::cout);
    else if (*shell == "zsh")
      zsh(app, std::cout);
    else if (*shell == "fish")
      fish(app, std::cout);
    else
      manual(app, std::cout);
  });
}

}  // namespace graft::app
