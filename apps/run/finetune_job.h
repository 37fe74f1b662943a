#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/cli/account.h"
#include "apps/cli/common.h"
#include "finetune/training/train_options.h"
#include "graft/evaluate.h"
#include "graft/finetune.h"

namespace graft::app {

/// What the command line of `graft finetune` holds. `train`'s groups and the texts are read into `settings` once the
/// command line is whole.
struct FinetuneOptions {
  CommonOptions common;
  PreprocessingSettings pictures;
  FinetuneSettings settings;
  TrainOptions train;
  std::string task = "classes", model, data, output, teacher, batch_norm = "auto", memory, picture_cache, preset,
              recipe;
  std::vector<std::string> class_weights;
  double validation_part = 0.2;
  int64_t plain_settings = 1;  // how many options do
  std::string plain_because;   // option that keeps the pictures from choosing the recipe; empty: none
  std::string config_text;     // what RUN/config.toml will hold
  std::string settings_from;   // RUN/config.toml where a run that goes on takes the rest of its settings from it
  bool overwrite = false;      // a run that is in the folder
  bool report = true;          // RUN/report.html
  bool tensorboard = false;    // RUN/events.out.tfevents…
  std::string mlflow;          // folder of MLflow's runs; empty: none
};

/// What the job came to, and where it lies.
struct FinetuneReport {
  FinetuneResult result;
  std::vector<std::string> classes;
  std::string model, history;      // paths
  std::vector<std::string> notes;  // what was told
  Account account;
  std::optional<Evaluation> test;  // where there are pictures for it
  size_t validated = 0;            // pictures that validate, with those that could not be read
  bool interrupted = false;
  double seconds = 0;  // the whole job
};

/// Reads the model and the pictures, lets the library train, and writes RUN: model.onnx, checkpoint.safetensors,
/// history.csv, metrics.json, config.toml, curves and report.html. Throws Error.
FinetuneReport run_finetune(const FinetuneOptions& options);

}  // namespace graft::app
