#include "apps/run/run_folder.h"

#include <toml++/toml.h>

#include <filesystem>
#include <sstream>

#include "apps/library/read_lines.h"
#include "runtime/core/error.h"

namespace graft::app {

namespace fs = std::filesystem;

std::string model_in(const std::string& path) {
  std::error_code code;
  const fs::path inside = fs::path(path) / "model.onnx";
  return fs::is_directory(path, code) && fs::exists(inside, code) ? inside.string() : path;
}

std::string name_of_path(const std::string& path) {
  return fs::weakly_canonical(fs::absolute(path)).filename().string();
}

std::string shell_quoted(const std::string& word) {
  const char* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

namespace {

/// Calls `body` with the table of the run that wrote `model`, where there is a config.toml.
template <typename Body>
void read_config(const std::string& model, const Body& body) {
  const fs::path config = fs::path(model).parent_path() / "config.toml";
  std::error_code code;
  if (fs::path(model).filename() != "model.onnx" || !fs::exists(config, code)) return;
  try {
    const toml::table file = toml::parse_file(config.string());
    body(file["finetune"], config.string());
  } catch (const toml::parse_error& error) {
    throw Error(config.string() + ": " + std::string(error.description()), "name the data beside the run",
                ErrorCode::bad_data);
  }
}

}  // namespace

RunSource source_of_run(const std::string& model) {
  RunSource source;
  read_config(model, [&](const toml::node_view<const toml::node>& run, const std::string& config) {
    source.data = run["data"].value<std::string>();
    source.validation_part = run["val-split"].value<double>();
    source.augment = run["augment"].value_or(std::string("default"));
    source.config = read_text(config);
    if (const auto seed = run["seed"].value<int64_t>()) source.seed = static_cast<uint64_t>(*seed);
  });
  return source;
}

std::map<std::string, std::string> settings_of_run(const std::string& model) {
  std::map<std::string, std::string> settings;
  read_config(model, [&](const toml::node_view<const toml::node>& run, const std::string&) {
    if (!run.is_table()) return;
    for (const auto& [key, value] : *run.as_table()) {
      const std::string name(key.str());
      if (name == "output" || name == "recipe") continue;
      std::ostringstream text;
      value.visit([&](const auto& v) {
        if constexpr (toml::is_string<decltype(v)>)
          text << v.get();  // without its quotes
        else
          text << toml::node_view<const toml::node>(v);
      });
      settings[name] = text.str();
    }
  });
  return settings;
}

bool is_own_data(const RunSource& run, const std::string& data) {
  if (!run.data) return false;
  std::error_code code;
  return data.empty() || (std::filesystem::equivalent(*run.data, data, code) && !code);
}

}  // namespace graft::app
