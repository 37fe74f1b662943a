#include "apps/run/mlflow.h"

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>

#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;

int64_t milliseconds_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void write_file(const fs::path& path, const std::string& text) {
  write_atomically(path.string(), [&](std::ostream& out) { out << text; });
}

/// 32 hexadecimal digits that no other run has.
std::string new_id(const std::string& name) {
  uint64_t seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  for (const char c : name) seed = mix(seed, static_cast<uint64_t>(static_cast<uint8_t>(c)));
  std::string id;
  for (uint64_t half = 0; half < 2; ++half) {
    uint64_t value = mix(seed, half);
    for (int digit = 0; digit < 16; ++digit, value >>= 4) id += "0123456789abcdef"[value & 15];
  }
  return id;
}

/// A text as YAML's double-quoted scalars have it, which JSON's are.
std::string yaml(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string meta_of_experiment(const fs::path& folder) {
  return "artifact_location: " + yaml("file://" + fs::absolute(folder).lexically_normal().string()) +
         "\nexperiment_id: '0'\nlifecycle_stage: active\nname: Default\n";
}

}  // namespace

std::string write_mlflow_run(const std::string& store, const MlflowRun& run) {
  const fs::path experiment = fs::path(store) / "0";
  const std::string id = new_id(run.name);
  const fs::path folder = experiment / id;
  try {
    for (const char* part : {"params", "metrics", "tags", "artifacts"}) fs::create_directories(folder / part);
    if (!fs::exists(experiment / "meta.yaml")) write_file(experiment / "meta.yaml", meta_of_experiment(experiment));
    const int64_t end = milliseconds_now(), start = end - static_cast<int64_t>(1000 * run.seconds);
    for (const auto& [name, value] : run.parameters) write_file(folder / "params" / name, value);
    const auto metric = [&](const std::string& name, const auto& value_of) {
      std::string lines;
      double elapsed = 0;
      for (const EpochReport& e : run.history) {
        elapsed += e.seconds;
        lines += std::to_string(start + static_cast<int64_t>(1000 * elapsed)) + " " +
                 nlohmann::json(value_of(e)).dump() + " " + std::to_string(e.epoch) + "\n";
      }
      write_file(folder / "metrics" / name, lines);
    };
    if (!run.history.empty()) {
      metric("train_loss", [](const EpochReport& e) { return e.train_loss; });
      metric("val_loss", [](const EpochReport& e) { return e.val_loss; });
      metric(run.score_name, [](const EpochReport& e) { return e.val_score; });
      metric("lr", [](const EpochReport& e) { return e.lr; });
    }
    write_file(folder / "tags" / "mlflow.runName", run.name);
    write_file(folder / "tags" / "mlflow.source.name", "graft finetune");
    for (const std::string& file : run.artifacts)
      if (fs::exists(file)) fs::copy_file(file, folder / "artifacts" / fs::path(file).filename());
    write_file(folder / "meta.yaml",
               "artifact_uri: " + yaml("file://" + fs::absolute(folder / "artifacts").lexically_normal().string()) +
                   "\nend_time: " + std::to_string(end) +
                   "\nentry_point_name: ''\nexperiment_id: '0'\nlifecycle_stage: active\nrun_id: " + id +
                   "\nrun_name: " + yaml(run.name) + "\nrun_uuid: " + id +
                   "\nsource_name: ''\nsource_type: 4\nsource_version: ''\nstart_time: " + std::to_string(start) +
                   "\nstatus: " + (run.failed ? "4" : "3") + "\ntags: []\nuser_id: graft\n");
  } catch (const fs::filesystem_error& error) {
    throw Error(folder.string() + ": cannot be written (" + error.code().message() + ")",
                "choose a folder you may write to", ErrorCode::io);
  }
  return folder.string();
}

}  // namespace graft::app
