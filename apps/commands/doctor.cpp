#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/library/device.h"
#include "apps/models/model_reference.h"
#include "graft/error.h"
#include "graft/version.h"
#include "importer/model.h"
#include "models/registry.h"
#include "runtime/core/available_memory.h"
#include "runtime/core/isa.h"
#include "runtime/core/processors.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/plan/plan.h"

namespace graft::app {
namespace {

using nlohmann::json;

/// What a look at one thing came to. What is wrong keeps graft from working; what is missing keeps it from something.
struct Finding {
  enum class State : uint8_t { good, missing, wrong } state;
  std::string what, text;
};

Finding library(const char* soname, const char* what, const char* remedy) {
  if (dlopen(soname, RTLD_LAZY | RTLD_LOCAL)) return {Finding::State::good, what, soname};
  return {Finding::State::missing, what, std::string(soname) + " is not there: " + remedy};
}

Finding computes(const CommonOptions& common) {
  try {
    Graph graph = build_architecture("graft-small", {2, 1});
    Plan plan = compile_inference(graph, {1, 64, 64}, backend_for(compute_settings(common)), common.threads);
    plan.forward();
    return {Finding::State::good, "a network computes", "graft-small on the processor"};
  } catch (const std::exception& error) {
    return {Finding::State::wrong, "a network computes", error.what()};
  }
}

Finding cache_folder() {
  namespace fs = std::filesystem;
  const std::string folder = model_cache();
  std::error_code code;
  fs::create_directories(folder, code);
  const fs::path probe = fs::path(folder) / ".writable";
  const bool writes = std::ofstream(probe).put('1').good();
  fs::remove(probe, code);
  return writes ? Finding{Finding::State::good, "pulled models lie in", folder}
                : Finding{Finding::State::missing, "pulled models lie in",
                          folder + ", which cannot be written to: set GRAFT_CACHE"};
}

void doctor(const CommonOptions& common) {
  using State = Finding::State;
  std::vector<Finding> found;
  found.push_back({State::good, "graft", version()});
  const cpu::Isa isa = cpu::best_isa();
  found.push_back({isa == cpu::Isa::baseline ? State::missing : State::good, "vector loops",
                   isa == cpu::Isa::avx512 ? "AVX-512"
                   : isa == cpu::Isa::avx2
                       ? "AVX2"
                       : "the baseline, which is slow: this processor has no AVX2, or ONEDNN_MAX_CPU_ISA forbids it"});
  const bool bf16 = bf16_cpu_backend() != nullptr, bytes = cpu_backend().multiplies_bytes();
  found.push_back({State::good, "narrow numbers",
                   bf16 && bytes ? "bfloat16 (--dtype bf16) and 8-bit integers (graft quantize)"
                   : bytes       ? "8-bit integers (graft quantize); no bfloat16"
                   : bf16        ? "bfloat16 (--dtype bf16); no 8-bit integers"
                                 : "none: bf16 is computed in fp32, quantised models as floats"});
  std::string cores = std::to_string(usable_processors());
  if (const auto quota = processor_quota(); quota && *quota < std::thread::hardware_concurrency()) {
    char limit[80];
    std::snprintf(limit, sizeof limit, ", as the control group allows %.3g", *quota);
    cores += limit;
  }
  found.push_back({State::good, "cores", cores});
  found.push_back({State::good, "memory available", std::to_string(available_memory() >> 20) + " MiB"});
  found.push_back(computes(common));
  const OpenedDevice device = opened_device({"auto", "auto", 0, 0});
  found.push_back({device.note.empty() ? State::good : State::missing, "device",
                   device.note.empty() ? device.description : device.note});
  found.push_back(library("libdnnl.so.3", "products of odd shapes", "install graft with its own, in lib/graft"));
  found.push_back(library("libheif.so.1", "HEIC and AVIF pictures", "install libheif1"));
  found.push_back(library("libtiff.so.6", "TIFF pictures", "install libtiff6"));
  found.push_back(library("libcurl.so.4", "downloads", "install libcurl4"));
  found.push_back(library("libmicrohttpd.so.12", "the server", "install libmicrohttpd12"));
  found.push_back(cache_folder());
  bool broken = false;
  json list = json::array();
  for (const Finding& f : found) {
    const char* state = f.state == State::good ? "good" : f.state == State::missing ? "missing" : "wrong";
    broken = broken || f.state == State::wrong;
    list.push_back({{"what", f.what}, {"state", state}, {"text", f.text}});
    if (!common.json) std::printf("%-8s %s: %s\n", f.state == State::good ? "" : state, f.what.c_str(), f.text.c_str());
  }
  if (common.json) print_json({{"findings", list}, {"works", !broken}});
  if (broken) set_exit_status(kFailed);
}

}  // namespace

void register_doctor(CLI::App& app) {
  auto common = std::make_shared<CommonOptions>();
  auto* command = app.add_subcommand("doctor", "Look whether graft works here, and what is missing or slow");
  command->footer(examples({"graft doctor"}));
  command->add_flag("--json", common->json, "One JSON object on stdout");
  command->callback([common] { doctor(*common); });
}

}  // namespace graft::app
