#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/compute_options.h"
#include "augment/pipeline.h"
#include "importer/model.h"

namespace graft::app {

inline constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2, kSomeSkipped = 3;

/// How pictures are brought to a model that does not say it itself.
struct PictureOptions {
  std::string preprocess;         // imagenet | tf | caffe | unit | FILE.json; empty: the model's own, else imagenet
  int64_t resize = -1, crop = 0;  // -1, 0: as the preprocessing says
};
void add_picture_options(CLI::App& command, PictureOptions& options);

/// What every subcommand takes that runs a model over pictures.
struct PictureModelOptions {
  CommonOptions common;
  PictureOptions pictures;
  std::string model;
};
void add_picture_model(CLI::App& command, PictureModelOptions& options);

/// The preprocessing that holds for this model: what the user says, else what the file says, else imagenet (which is
/// told on stderr). The size comes from the graph's input where it is fixed.
Preprocessing resolve_preprocessing(const Model& model, const PictureOptions& options, const CommonOptions& common);

TransformContext transform_context(const Preprocessing& preprocessing);
/// The view that evaluation sees.
Pipeline evaluation_pipeline(const Preprocessing& preprocessing);
Normalisation normalisation(const Preprocessing& preprocessing);

/// The lines of a text file. Throws Error.
std::vector<std::string> read_lines(const std::string& path);

/// Sets the exit status that main returns when nothing fails.
void set_exit_status(int status);

}  // namespace graft::app
