#pragma once

#include <map>
#include <optional>
#include <string>

namespace graft::app {

/// `path`, or the model in it where it is the folder of a run.
std::string model_in(const std::string& path);

/// The last name of a path, without a slash at its end.
std::string name_of_path(const std::string& path);

/// What its config.toml sets of the run that wrote `model`, as text by name, without what says where things lie; empty
/// where there is none. Throws Error (bad_data).
std::map<std::string, std::string> settings_of_run(const std::string& model);

/// A word as a POSIX shell takes it.
std::string shell_quoted(const std::string& word);

/// What a run was made of, as its config.toml tells; what the file does not say is left out.
struct RunSource {
  std::optional<std::string> data;
  std::optional<double> validation_part;
  std::optional<uint64_t> seed;
  std::string augment, config;  // the latter: the file's text
};
/// Of the run that wrote `model`, RUN/model.onnx; empty where there is no config.toml beside it. Throws Error
/// (bad_data) for one that cannot be read.
RunSource source_of_run(const std::string& model);
/// Whether `data` is what the run was made of; so is what is not named (empty).
bool is_own_data(const RunSource& run, const std::string& data);

}  // namespace graft::app
