#include "apps/cli/compute_options.h"

#include <cmath>

#include "apps/cli/environment.h"
#include "apps/cli/notes.h"
#include "apps/library/device.h"
#include "runtime/core/error.h"

namespace graft::app {

void add_output_options(CLI::App& command, CommonOptions& o) {
  command.add_flag("--json", o.json, "One JSON object on stdout, all else on stderr")->group("Output");
  add_quiet_option(command, o);
}

void add_quiet_option(CLI::App& command, CommonOptions& o) {
  command.add_flag("--quiet", o.quiet, "No progress and no notes")->group("Output");
  command.fallthrough();  // --config belongs to the program: one file may hold a section for each subcommand
}

void add_device_options(CLI::App& command, CommonOptions& o) {
  command.add_option("--device", o.device, "auto | cpu | cuda:N")->capture_default_str()->group("Computing");
  command.add_option("--dtype", o.dtype, "auto | fp32 | bf16; on a GPU also tf32, fp16")
      ->capture_default_str()
      ->group("Computing");
  add_threads_option(command, o);
}

void add_threads_option(CLI::App& command, CommonOptions& o) {
  command.add_option("--threads", o.threads, "Threads to compute with (0: all cores)")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->group("Computing");
}

void add_batch_option(CLI::App& command, CommonOptions& o) {
  command.add_option("--batch", o.batch, "Pictures in a batch")->check(CLI::Range(1, 4096))->group("Computing");
}

CLI::Option* add_seed_option(CLI::App& command, CommonOptions& o, const std::string& help) {
  return command.add_option("--seed", o.seed, help)->capture_default_str()->group("Computing");
}

void add_memory_option(CLI::App& command, std::string& memory) {
  command
      .add_option("--memory", memory,
                  "What activations and gradients of a step may take: 2G, 900M, or 50% of what they would; where they "
                  "do not fit they are made again")
      ->type_name("SIZE");
}

MemoryLimit memory_limit(const std::string& memory, const std::string& setting) {
  if (memory.empty()) return {};
  size_t used = 0;
  double number = 0;
  try {
    number = std::stod(memory, &used);
  } catch (const std::exception&) {
  }
  const std::string unit = memory.substr(used);
  const double factor = unit == "G" ? 1 << 30 : unit == "M" ? 1 << 20 : unit == "K" ? 1 << 10 : unit.empty() ? 1 : 0;
  const bool part = unit == "%" && number <= 100;
  if (!(number > 0) || !std::isfinite(number * factor) || (factor == 0 && !part))
    throw Error("is no amount of memory", setting == "memory" ? "write 2G, 900M or 50%" : "write 2G, 900M, 50% or off")
        .about(setting, memory);
  return part ? MemoryLimit{0, number / 100} : MemoryLimit{static_cast<size_t>(number * factor), 0};
}

void add_disk_cache_options(CLI::App& command, CommonOptions& o, const std::string& standard) {
  const std::string said = environment("GRAFT_DISK_CACHE");
  o.disk_cache = said.empty() ? standard : said;
  command
      .add_option("--disk-cache", o.disk_cache,
                  "Features of pictures are looked for there before they are computed, and kept: FOLDER, on "
                  "(graft/features in XDG_CACHE_HOME or ~/.cache) or off; GRAFT_DISK_CACHE sets the default")
      ->type_name("FOLDER")
      ->capture_default_str();
  o.disk_cache_limit = "4G";
  command
      .add_option("--disk-cache-limit", o.disk_cache_limit,
                  "What that folder may take; what was not used for longest goes")
      ->type_name("SIZE")
      ->capture_default_str();
}

namespace {

/// --disk-cache-limit in bytes.
uint64_t disk_bytes(const std::string& text) {
  try {
    if (const MemoryLimit limit = memory_limit(text, "disk-cache-limit"); limit.bytes > 0) return limit.bytes;
  } catch (const Error&) {  // which would offer parts of the memory
  }
  throw Error("\"" + text + "\" is no size", "write 4G or 900M").about("disk-cache-limit");
}

/// The folder that --disk-cache names; empty where nothing is to be kept, or there is no place for it.
std::string feature_folder(const std::string& named) {
  if (named == "off") return "";
  if (named != "on") return named;
  return cache_folder("features");
}

}  // namespace

ComputeSettings compute_settings(const CommonOptions& o) {
  ComputeSettings settings{o.device, o.dtype, o.threads, o.batch};
  if (o.disk_cache_limit.empty()) return settings;  // a command without these options
  if (o.disk_cache.empty()) throw Error("names no folder", "say FOLDER, on or off").about("disk-cache");
  settings.feature_folder = feature_folder(o.disk_cache);
  settings.feature_folder_bytes = disk_bytes(o.disk_cache_limit);
  return settings;
}

const Backend& backend(const CommonOptions& o) {
  const ComputeSettings settings = compute_settings(o);
  const OpenedDevice opened = opened_device(settings);
  static bool told = false;
  if (!opened.note.empty() && opened.note_about == "device" && o.device != "auto") {
    const std::string reason = opened.note.substr(0, opened.note.find("; computing on the processor"));
    throw Error(reason, "use --device auto, which takes what is there, or cpu", ErrorCode::not_found).about("device");
  }
  if (!opened.note.empty() && !told) tell_note("--" + opened.note_about + ' ' + opened.note, o.quiet);
  told = true;
  return backend_for(settings);
}

std::string precision(const CommonOptions& o) { return precision_of(compute_settings(o), backend(o)); }

}  // namespace graft::app
