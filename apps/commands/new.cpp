#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/notes.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "finetune/training/safetensors.h"
#include "importer/metadata.h"
#include "importer/writer.h"
#include "models/registry.h"
#include "models/weights.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

struct Options {
  CommonOptions common;
  std::string architecture, output, weights;
  int64_t classes = 0;
  bool auxiliary = false;
};

std::string list_text(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i > 0 ? ", " : "") + names[i];
  return names.size() > kShown ? text + " and " + std::to_string(names.size() - kShown) + " more" : text;
}

/// Fills the graph from a safetensors file; tells what stays as it was drawn and what is not used.
FilledWeights filled(Graph& graph, const Options& o) {
  const Safetensors file = read_safetensors(o.weights);
  FilledWeights result = with_place([&] { return o.weights; },
                                    [&] {
                                      return fill_weights(graph, file.tensors, [&](const std::string& name) {
                                        return torch_name(o.architecture, name);
                                      });
                                    });
  if (!result.missing.empty()) set_exit_status(kSomeSkipped);
  const auto tell = [&](const std::vector<std::string>& names, const std::string& what) {
    if (!names.empty()) tell_note(o.weights + ": " + what + ": " + list_text(names), o.common.quiet);
  };
  tell(result.missing, "has not, so that they stay as they were drawn");
  tell(result.other_shapes, "the last layer stays as it was drawn");
  tell(result.unused, "these are not used");
  return result;
}

void create(const Options& o) {
  OnnxModel model;
  ArchitectureOptions options{o.classes, o.common.seed};
  options.auxiliary = o.auxiliary;
  model.graph = build_architecture(o.architecture, options);
  std::optional<FilledWeights> weights;
  if (!o.weights.empty()) weights = filled(model.graph, o);
  if (o.auxiliary) {
    if (model.graph.outputs.size() < 2)
      throw Error("--auxiliary: " + o.architecture + " has no auxiliary heads", "googlenet has");
    model.metadata.other[kAuxiliaryOutputs] = std::to_string(model.graph.outputs.size() - 1);
  }
  model.metadata.preprocessing = named_preprocessing("imagenet", model.picture());
  write_model(model, o.output);
  if (!o.common.json) return;
  nlohmann::json report{{"model", o.output}, {"architecture", o.architecture}, {"weights", nullptr}};
  if (weights)
    report["weights"] = {{"taken", weights->taken},
                         {"missing", weights->missing},
                         {"unused", weights->unused},
                         {"other_shapes", weights->other_shapes}};
  print_json(report);
}

}  // namespace

void register_new(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("new", "Build and initialise an architecture");
  command->footer(examples(
      {"graft new resnet-50 -o resnet50.onnx", "graft new vit-small-16 -o vit.onnx --weights vit_small.safetensors"}));
  add_output_options(*command, o->common);
  add_seed_option(*command, o->common, "Seed of the weights");
  command->add_option("architecture", o->architecture, "Its name; an unknown one lists them all")->required();
  command->add_option("--classes", o->classes, "Outputs (0: as published)")->check(CLI::Range(0, 1000000));
  command->add_option("--weights", o->weights, "Fill it from this safetensors file, by torchvision's or timm's names")
      ->check(CLI::ExistingFile);
  command->add_flag("--auxiliary", o->auxiliary, "With the auxiliary heads that only train (googlenet)");
  command->add_option("-o,--output", o->output, "ONNX file to write")->required();
  command->callback([o] { create(*o); });
}

}  // namespace graft::app
