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
  std::string disk_cache, disk_cache_limit;  // empty: the command keeps no features
};

/// A command takes what it obeys. `options` outlives the command.
void add_output_options(CLI::App& command, CommonOptions& options);  // --json, --quiet
void add_quiet_option(CLI::App& command, CommonOptions& options);    // --quiet alone
void add_device_options(CLI::App& command, CommonOptions& options);  // --device, --dtype, --threads
void add_threads_option(CLI::App& command, CommonOptions& options);  // --threads alone
void add_batch_option(CLI::App& command, CommonOptions& options);    // --batch
/// --seed. `help`: of what.
CLI::Option* add_seed_option(CLI::App& command, CommonOptions& options, const std::string& help);

/// --disk-cache and --disk-cache-limit. `standard`: on or off, where neither the option nor GRAFT_DISK_CACHE says more.
void add_disk_cache_options(CLI::App& command, CommonOptions& options, const std::string& standard);

/// What they mean to the library. Throws Error, about "disk-cache".
ComputeSettings compute_settings(const CommonOptions& options);

/// The backend that --device and --dtype name. Throws Error for what is named and not there; tells once what auto takes
/// in the place of a device that does not serve.
const Backend& backend(const CommonOptions& options);
/// What its activations are computed in: fp32, tf32, bf16 or fp16.
std::string precision(const CommonOptions& options);

/// --memory: "50%" of what would be taken without it, or bytes with K, M or G behind them (powers of 1024); empty: no
/// limit. Throws Error.
void add_memory_option(CLI::App& command, std::string& memory);
MemoryLimit memory_limit(const std::string& memory, const std::string& setting = "memory");

}  // namespace graft::app
