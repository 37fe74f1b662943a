#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace graft::app {

/// Groups of options whose names begin with this are shown by --help-all alone.
inline constexpr const char* kAdvanced = "Advanced: ";

/// Help that leaves the advanced groups to --help-all and says how many options those have.
class GroupedHelp final : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

/// The foot of a command's help: commands that a user may type, with or without "#" and words behind them.
std::string examples(const std::vector<std::string>& lines);

/// Takes one of `names`, written in any case; for another word the closest one is named.
CLI::Validator one_of(std::vector<std::string> names);

/// Refuses the name of a file that ends in none of `endings` (".svg").
CLI::Validator ends_in(std::vector<std::string> endings);

/// What is wrong with a command line, in one line with what to do. `app`: the program after parsing failed.
std::string usage_problem(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments);

}  // namespace graft::app
