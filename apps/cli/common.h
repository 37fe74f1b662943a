#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/cli/compute_options.h"
#include "graft/classifier.h"
#include "graft/model.h"

namespace graft::app {

inline constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2, kSomeSkipped = 3;

/// What every subcommand takes that runs a model over pictures.
struct PictureModelOptions {
  CommonOptions common;
  PreprocessingSettings pictures;
  std::string model, views;
};
void add_picture_options(CLI::App& command, PreprocessingSettings& options);
void add_picture_model(CLI::App& command, PictureModelOptions& options);
/// The same of a command that looks at one picture after the other, in one view.
void add_single_picture_model(CLI::App& command, PictureModelOptions& options);

/// The preprocessing that holds for the model; tells where neither it nor the user says one. Throws Error.
Preprocessing resolve_preprocessing(const Model& model, const PreprocessingSettings& options,
                                    const CommonOptions& common);

/// How the options run this model. Throws Error.
RunSettings run_settings(const Model& model, const PictureModelOptions& options);
/// --labels: names of classes instead of the model's own.
void add_labels_option(CLI::App& command, std::string& file);
/// Gives the model the names that the file holds, where there is one.
void take_labels(Model& model, const std::string& file, const CommonOptions& common);
/// Opens the device that the model will run on, and tells once where another one serves. Throws Error.
void open_device_for(const PictureModelOptions& options);

/// Sets the exit status that main returns when nothing fails.
void set_exit_status(int status);
int exit_status();

}  // namespace graft::app
