#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace graft::app {

/// A config file whose every key must be an option: of the program, or of the subcommand whose section it stands in.
class CheckedConfig final : public CLI::ConfigBase {
 public:
  /// `program` outlives this object.
  explicit CheckedConfig(const CLI::App& program) : program_(program) {}
  /// Throws Error for an unknown key or section, with the closest known one.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;

 private:
  const CLI::App& program_;
};

/// Of `known`, the word that needs the fewest letters changed, added or left out. `known` is not empty.
std::string closest_word(const std::string& word, const std::vector<std::string>& known);

}  // namespace graft::app
