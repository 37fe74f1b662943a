#pragma once

#include <string>
#include <vector>

#include "apps/common.h"
#include "finetune/heads/freeze.h"
#include "finetune/selection/auto_choice.h"
#include "finetune/selection/cross_validation.h"
#include "finetune/selection/rate_finder.h"
#include "finetune/training/trainer.h"

namespace graft::app {

struct FinetuneOptions {
  CommonOptions common;
  PictureOptions pictures;
  TrainOptions train;
  FreezeOptions freeze;
  std::string task = "classes", model, data, output, teacher, recipe = "default", batch_norm = "auto", memory, preset;
  std::string loss;                        // empty: follows from the task and the head
  std::string head = "linear";             // as parse_head reads it
  SettingValues loss_values, head_values;  // what was given of them
  std::vector<std::string> class_weights;
  float stochastic_depth = 0;
  bool simplify = false;    // takes LRN and dropout out of the model
  int folds = 0;            // cross-validation before the run; 0: none
  bool find_rate = false;   // the range test in the place of the run
  double auto_seconds = 0;  // of looking for better settings before the run; 0: none
  AutoFreedom freedom;      // what that search may vary
  double validation_part = 0.2;
  std::string config_text;  // what RUN/config.toml will hold
};

struct FinetuneReport {
  TrainResult result;
  FreezeResult freeze;
  Task task = Task::classes;
  std::vector<std::string> classes;
  std::vector<std::string> skipped;
  std::string model, history;  // paths
  FoldsResult folds;           // empty without cross-validation
  RateSearch rates;            // empty without a range test
  AutoSearch automatic;        // empty without a search
  double seconds = 0;          // the whole job
};

/// Import, graft, train, write: the whole of `graft finetune`. RUN gets model.onnx, checkpoint.safetensors,
/// history.csv, metrics.json and config.toml. Throws Error.
FinetuneReport run_finetune(const FinetuneOptions& options);

std::string to_json_text(const FinetuneReport& report);

}  // namespace graft::app
