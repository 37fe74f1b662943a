#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/common.h"
#include "apps/json_output.h"
#include "apps/usage.h"
#include "importer/embed_preprocessing.h"
#include "importer/picture_form.h"
#include "importer/reader.h"
#include "importer/writer.h"
#include "runtime/core/error.h"
#include "runtime/passes/passes.h"

namespace graft::app {
namespace {

struct Options {
  CommonOptions common;
  std::string source, output;
  PreprocessingSettings pictures;
  bool fp32 = false, fp16 = false, preprocessing = false, external = false;
};

void drop_auxiliary_outputs(OnnxModel& model) {
  const auto mark = model.metadata.other.find(kAuxiliaryOutputs);
  if (mark == model.metadata.other.end()) return;
  model.graph.outputs.resize(1);
  model.metadata.other.erase(mark);
}

void export_model(const Options& o) {
  namespace fs = std::filesystem;
  const std::string path = fs::is_directory(o.source) ? (fs::path(o.source) / "model.onnx").string() : o.source;
  OnnxModel model = read_model(path);
  drop_auxiliary_outputs(model);
  remove_identities(model.graph, /*keep_dropout=*/false);
  canonicalise_dense(model.graph);
  fold_batch_norm(model.graph);
  remove_dead_code(model.graph);
  if (o.preprocessing) {
    take_picture_form(model);
    model.metadata.preprocessing =
        resolve_preprocessing(Model(std::make_shared<OnnxModel>(model)), o.pictures, o.common);
    embed_preprocessing(model);
  }
  const uintmax_t bytes = write_model(model, o.output, {.half_weights = o.fp16, .external_weights = o.external});
  const auto fixed = size_fixed_by_writing(model);
  if (fixed && !o.common.quiet)
    std::cerr << "graft: note: the file takes pictures of " << fixed->height << "×" << fixed->width
              << " alone: what depends on the size (a loop, or what stands for an operator that opset 17 lacks) is "
                 "written for that one\n";
  if (o.common.json) {
    nlohmann::json report{{"model", o.output}, {"bytes", bytes}};
    if (fixed) report["fixed_size"] = {fixed->height, fixed->width};
    print_json(report);
  } else if (!o.common.quiet)
    std::cerr << o.output << ": " << bytes / 1024 << " KiB\n";
}

}  // namespace

void register_export(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("export", "Write the deploy form: batch norms folded, dropout and auxiliary heads gone");
  command->footer(
      examples({"graft export run -o deploy.onnx --fp16", "graft export run -o whole.onnx --with-preprocessing"}));
  add_common(*command, o->common);
  command->add_option("run", o->source, "RUN folder of finetune, or an ONNX model")->required();
  auto* fp32 = command->add_flag("--fp32", o->fp32, "float32 weights (the default)");
  command->add_flag("--fp16", o->fp16, "float16 weights, computed in float32: half the file")->excludes(fp32);
  command->add_flag(
      "--with-preprocessing", o->preprocessing,
      "The graph takes whole pictures, uint8 N×height×width×3 RGB: resize, crop and normalise are inside");
  command->add_flag("--external-data", o->external,
                    "Weights in OUTPUT.data beside the model (over 2 GiB they always are)");
  add_picture_options(*command, o->pictures);
  command->add_option("-o,--output", o->output, "ONNX file to write")->required();
  command->callback([o] { export_model(*o); });
}

}  // namespace graft::app
