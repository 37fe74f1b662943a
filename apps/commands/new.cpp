#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/common.h"
#include "importer/metadata.h"
#include "importer/writer.h"
#include "models/registry.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

struct Options {
  CommonOptions common;
  std::string architecture, output;
  int64_t classes = 0;
  bool auxiliary = false;
};

void create(const Options& o) {
  OnnxModel model;
  ArchitectureOptions options{o.classes, o.common.seed};
  options.auxiliary = o.auxiliary;
  model.graph = build_architecture(o.architecture, options);
  if (o.auxiliary) {
    if (model.graph.outputs.size() < 2)
      throw Error("--auxiliary: " + o.architecture + " has no auxiliary heads", "googlenet has");
    model.metadata.other[kAuxiliaryOutputs] = std::to_string(model.graph.outputs.size() - 1);
  }
  model.metadata.preprocessing = named_preprocessing("imagenet", model.picture());
  write_model(model, o.output);
  if (o.common.json) std::cout << nlohmann::json{{"model", o.output}, {"architecture", o.architecture}}.dump() << "\n";
}

}  // namespace

void register_new(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("new", "Build and initialise an architecture");
  add_common(*command, o->common);
  command->add_option("architecture", o->architecture, "Its name; an unknown one lists them all")->required();
  command->add_option("--classes", o->classes, "Outputs (0: as published)")->check(CLI::Range(0, 1000000));
  command->add_flag("--auxiliary", o->auxiliary, "With the auxiliary heads that only train (googlenet)");
  command->add_option("-o,--output", o->output, "ONNX file to write")->required();
  command->callback([o] { create(*o); });
}

}  // namespace graft::app
