#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "apps/cli/compute_options.h"
#include "apps/pictures/bench_pictures.h"

namespace graft::app {

/// `pictures`: what measures --data; null in a program without pictures.
using PictureBench = void(const CommonOptions& common, const std::string& model, const std::string& data,
                          const std::string& augmentation, double seconds);
void register_bench(CLI::App& app, PictureBench* pictures);
void register_check(CLI::App& app);
void register_classify(CLI::App& app);
void register_compare(CLI::App& app);
void register_completion(CLI::App& app);
void register_doctor(CLI::App& app);
void register_evaluate(CLI::App& app);
void register_explain(CLI::App& app);
void register_export(CLI::App& app);
void register_extract(CLI::App& app);
void register_find(CLI::App& app);
void register_finetune(CLI::App& app);
void register_generate(CLI::App& app);
void register_gradcheck(CLI::App& app);
void register_help(CLI::App& app);
void register_index(CLI::App& app);
void register_infer(CLI::App& app);
void register_inspect(CLI::App& app);
void register_new(CLI::App& app);
void register_preview(CLI::App& app);
void register_pull(CLI::App& app);
void register_quantize(CLI::App& app);
void register_report(CLI::App& app);
void register_serve(CLI::App& app);
void register_suggest(CLI::App& app);

/// One line for each file of apps/commands.
inline void register_commands(CLI::App& app) {
  register_finetune(app);
  register_classify(app);
  register_extract(app);
  register_index(app);
  register_find(app);
  register_evaluate(app);
  register_compare(app);
  register_report(app);
  register_explain(app);
  register_suggest(app);
  register_serve(app);
  register_check(app);
  register_inspect(app);
  register_infer(app);
  register_bench(app, bench_pictures);
  register_export(app);
  register_quantize(app);
  register_preview(app);
  register_gradcheck(app);
  register_new(app);
  register_generate(app);
  register_pull(app);
  register_help(app);
  register_completion(app);
  register_doctor(app);
}

}  // namespace graft::app
