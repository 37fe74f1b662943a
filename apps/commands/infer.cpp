#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/cli/compute_options.h"
#include "apps/cli/json_output.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/library/tensor_inference.h"
#include "importer/reader.h"
#include "runtime/core/error.h"
#include "runtime/core/npy.h"
#include "runtime/passes/open_shapes.h"

namespace graft::app {
namespace {

struct Options {
  CommonOptions common;
  std::string model;
  std::vector<std::string> inputs, outputs;
};

/// Which array belongs to which value: "NAME=FILE" where NAME is one of them, else FILE in the order of `values`.
std::vector<std::pair<ValueId, std::string>> assign(const Graph& graph, const std::vector<ValueId>& values,
                                                    const std::vector<std::string>& words, const char* kind) {
  std::vector<std::pair<ValueId, std::string>> result;
  const auto taken = [&](ValueId id) {
    return std::any_of(result.begin(), result.end(), [&](const auto& r) { return r.first == id; });
  };
  std::vector<std::string> in_order;
  for (const std::string& word : words) {
    const auto named = std::find_if(values.begin(), values.end(),
                                    [&](ValueId id) { return word.starts_with(graph.value(id).name + "="); });
    if (named == values.end())
      in_order.push_back(word);
    else if (taken(*named))
      throw Error(std::string("--") + kind + " " + word + ": is given twice");
    else
      result.emplace_back(*named, word.substr(graph.value(*named).name.size() + 1));
  }
  size_t next = 0;
  for (const std::string& file : in_order) {
    while (next < values.size() && taken(values[next])) ++next;
    if (next == values.size())
      throw Error(std::string("--") + kind + " " + file + ": the model has only " + std::to_string(values.size()) +
                  " " + kind + "s");
    result.emplace_back(values[next], file);
  }
  return result;
}

/// The model, read at the extents of the arrays where it leaves its own open.
OnnxModel read_for(const Options& o) {
  std::optional<Error> broken;  // an array: the reason to tell where the model cannot be read without it
  const auto given = [&](const Graph& graph) {
    OpenDims dims;
    try {
      for (const auto& [id, file] : assign(graph, graph.inputs, o.inputs, "input")) {
        const Value& input = graph.value(id);
        const Shape shape = batched(input, read_npy_shape(file));
        const size_t rows = first_image_dimension(input);
        if (dims.shapes.empty() && shape.size() == 4) dims.height = shape[rows], dims.width = shape[rows + 1];
        if (shape.size() == input.shape.size()) dims.shapes[input.name] = shape;
      }
    } catch (const Error& error) {
      broken = error;
    }
    return dims;
  };
  try {
    return read_model(o.model, given);
  } catch (const Error&) {
    if (broken) throw *broken;
    throw;
  }
}

void infer(const Options& o) {
  OnnxModel model = read_for(o);
  Graph& graph = model.graph;
  const auto inputs = assign(graph, graph.inputs, o.inputs, "input");
  const auto outputs = assign(graph, graph.outputs, o.outputs, "output");
  std::vector<Tensor> arrays(graph.inputs.size());
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& input = graph.value(graph.inputs[i]);
    const auto given =
        std::find_if(inputs.begin(), inputs.end(), [&](const auto& g) { return g.first == graph.inputs[i]; });
    if (given == inputs.end())
      throw Error(o.model + ": input \"" + input.name + "\" (" + input.shape.str() + ") is not given",
                  "add --input \"" + input.name + "=FILE.npy\"");
    arrays[i] = fitted_to(input, read_npy(given->second), given->second);
  }
  graph.outputs.clear();
  for (const auto& [id, file] : outputs) graph.outputs.push_back(id);
  const auto results = with_place([&] { return o.model; },
                                  [&] { return run_tensors(model, arrays, backend(o.common), o.common.threads); });
  nlohmann::json written = nlohmann::json::array();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& y = results[i];
    write_npy(outputs[i].second, y);
    written.push_back({{"output", outputs[i].second},
                       {"name", graph.value(outputs[i].first).name},
                       {"shape", static_cast<const std::vector<int64_t>&>(y.shape())}});
  }
  if (o.common.json) print_json({{"outputs", written}});
}

}  // namespace

void register_infer(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("infer", "Run raw tensors through a model");
  command->footer(examples({"graft infer model.onnx --input pictures.npy --output scores.npy"}));
  add_device_options(*command, o->common);
  add_output_options(*command, o->common);
  command->add_option("model", o->model, "ONNX model")->required();
  command
      ->add_option("--input", o->inputs,
                   "[NAME=]FILE.npy of an input (a picture's batch may be left out); again for the next")
      ->required();
  command->add_option("--output", o->outputs, "[NAME=]FILE.npy to write an output to; again for the next")->required();
  command->callback([o] { infer(*o); });
}

}  // namespace graft::app
