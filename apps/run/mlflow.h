#pragma once

#include <string>
#include <utility>
#include <vector>

#include "graft/report.h"

namespace graft::app {

/// One finished run as MLflow's file store has it: STORE/0/ID with params, metrics over epochs, tags and artifacts.
struct MlflowRun {
  std::string name;
  std::vector<std::pair<std::string, std::string>> parameters;
  std::vector<EpochReport> history;
  std::string score_name;
  std::vector<std::string> artifacts;  // files that are copied
  double seconds = 0;                  // how long it took, until now
  bool failed = false;
};
/// Returns the run's folder. Throws Error (io). [mlflow/store/tracking/file_store.py]
std::string write_mlflow_run(const std::string& store, const MlflowRun& run);

}  // namespace graft::app
