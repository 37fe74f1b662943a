#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "graft/device.h"
#include "runtime/plan/plan.h"

namespace graft::app {

/// Options that every subcommand has.
struct CommonOptions {
  std::string device = "auto", dtype = "auto";
  int threads = 0;
  uint64_t seed = 0;
  int64_t batch = 0;  // 0: the subcommand's own default
  bool json = false, quiet = false;
};

/// Adds them.
void add_common(CLI::App& command, CommonOptions& options);

/// What they mean to the library.
ComputeSettings compute_settings(const CommonOptions& options);

/// The backend that --device and --dtype name. Throws Error for what is named and not there; tells once what auto takes
/// in the place of a device that does not serve.
const Backend& backend(const CommonOptions& options);

/// --memory: "50%" of what would be taken without it, or bytes with K, M or G behind them (powers of 1024); empty: no
/// limit. Throws Error.
void add_memory_option(CLI::App& command, std::string& memory);
MemoryLimit memory_limit(const std::string& memory, const std::string& setting = "memory");

}  // namespace graft::app
