#pragma once

#include <cstdint>
#include <string>

#include "apps/cli/compute_options.h"

namespace graft::app {

/// How a model is got that is named by something else than a file.
struct PullOptions {
  std::string sha256;  // that it must have; empty: as the registry or the server says, else any
  std::string from;    // a local file that is taken in place of the network's
  int tries = 5;
  double first_wait = 1, stalled_after = 30;  // seconds
  bool again = false;                         // also where it is there
};

struct Pulled {
  std::string path;    // of the local file
  std::string url;     // empty where `from` was given
  std::string sha256;  // empty where it was there already
  std::string name;    // what it is called in the registry, as a reference; empty for others
  bool was_there = false, verified = false;
  int64_t bytes = 0, resumed_at = 0;
  int tries = 0;
};

/// Whether a text names a model by something else than a file: "zoo:resnet50", "hf:OWNER/REPO[@REVISION][/FILE]",
/// "https://…".
bool is_model_reference(const std::string& text);

/// Gets such a model, unless it is in the cache: GRAFT_CACHE, or graft/models in XDG_CACHE_HOME or ~/.cache. Hosts that
/// serve in place of huggingface.co are listed in HF_ENDPOINT (one) and GRAFT_MIRRORS (several, tried in turn). Throws
/// Error, with the nearest name for one that the registry lacks.
Pulled pull_model(const std::string& reference, const PullOptions& options, const CommonOptions& common);

/// The path of a model's file: `text` itself, or where what it names was put, fetched now where it is not there.
std::string local_model(const std::string& text, const CommonOptions& common);

/// The folder of pulled models.
std::string model_cache();

}  // namespace graft::app
