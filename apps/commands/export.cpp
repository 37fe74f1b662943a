#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/notes.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/library/confidence.h"
#include "apps/library/scores.h"
#include "importer/embed_preprocessing.h"
#include "importer/picture_form.h"
#include "importer/reader.h"
#include "importer/writer.h"
#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/passes.h"

namespace graft::app {
namespace {

struct Options {
  CommonOptions common;
  std::string source, output;
  PreprocessingSettings pictures;
  bool fp32 = false, fp16 = false, preprocessing = false, external = false, probabilities = false;
};

/// Ends the graph in probabilities: a softmax over classes, a sigmoid of several labels or of a single score.
void add_probabilities(OnnxModel& model) {
  Graph& graph = model.graph;
  const std::string& task = model.metadata.task;
  if (task == "regression")
    throw Error("measured values are no scores", "leave it out", ErrorCode::unsupported).about("softmax");
  if (ends_in_probabilities(graph))
    throw Error("the model ends in probabilities already", "leave it out").about("softmax");
  if (seems_to_end_in_features(model))
    throw Error("the model ends in features, which no softmax makes probabilities of",
                "leave it out; graft finetune gives the model a head", ErrorCode::unsupported)
        .about("softmax");
  ValueId scores = graph.outputs.at(0);
  const Shape& shape = graph.value(scores).shape;
  const bool single = shape.rank() > 0 && shape[shape.rank() - 1] == 1;
  Confidence confidence = confidence_of(model);
  if (confidence.temperature != 1 && !single && task != "multi-label") {
    Tensor temperature(DType::f32, {1});
    temperature.data<float>()[0] = static_cast<float>(std::exchange(confidence.temperature, 1));
    const std::string scaled = graph.unused_name("scores_at_temperature");
    const ValueId divisor = graph.add_constant(graph.unused_name("temperature"), std::move(temperature));
    scores = graph.add_node(scaled, make_binary(Binary::Kind::div), {scores, divisor}, {scaled})[0];
    set_confidence(confidence, model.metadata);
  }
  const std::string name = graph.unused_name("probabilities");
  OperatorPtr op = std::make_shared<Softmax>();
  if (task == "multi-label" || single) op = make_unary(Unary::Kind::sigmoid);
  graph.outputs[0] = graph.add_node(name, std::move(op), {scores}, {name})[0];
}

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
  if (o.probabilities) add_probabilities(model);
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
  if (fixed)
    tell_note("the file takes pictures of " + std::to_string(fixed->height) + "×" + std::to_string(fixed->width) +
                  " alone: what depends on the size (a loop, or what stands for an operator that opset 17 lacks) is "
                  "written for that one",
              o.common.quiet);
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
  add_output_options(*command, o->common);
  command->add_option("run", o->source, "RUN folder of finetune, or an ONNX model")->required();
  auto* fp32 = command->add_flag("--fp32", o->fp32, "float32 weights (the default)");
  command->add_flag("--fp16", o->fp16, "float16 weights, computed in float32: half the file")->excludes(fp32);
  command->add_flag(
      "--with-preprocessing", o->preprocessing,
      "The graph takes whole pictures, uint8 N×height×width×3 RGB: resize, crop and normalise are inside");
  command->add_flag("--softmax", o->probabilities,
                    "The output is probabilities: a softmax behind the scores, a sigmoid of several labels");
  command->add_flag("--external-data", o->external,
                    "Weights in OUTPUT.data beside the model (over 2 GiB they always are)");
  add_picture_options(*command, o->pictures);
  command->add_option("-o,--output", o->output, "ONNX file to write")->required()->check(ends_in({".onnx"}));
  command->callback([o] { export_model(*o); });
}

}  // namespace graft::app
