#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/cli/common.h"
#include "apps/cli/json_output.h"
#include "apps/cli/usage.h"
#include "apps/commands/commands.h"
#include "apps/drawing/filter_sheet.h"
#include "apps/library/confidence.h"
#include "apps/models/model_text.h"
#include "augment/encode.h"
#include "finetune/heads/freeze.h"
#include "importer/preprocessing_json.h"
#include "importer/reader.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/passes/open_shapes.h"

namespace graft::app {
namespace {

using nlohmann::json;

struct Options {
  CommonOptions common;
  std::string model, freeze, graph, other, filters;
};

/// What graft wrote of the training; null where it is no JSON. A loss's name has another key than losses' values.
json training_json(const std::string& record) {
  json training = json::parse(record, nullptr, /*allow_exceptions=*/false);
  if (!training.is_object()) return nullptr;
  if (training.contains("loss")) {
    training["loss_function"] = std::move(training["loss"]);
    training.erase("loss");
  }
  return training;
}

json layer_table(const OnnxModel& model, const Options& o) {
  Graph marked = model.graph;
  if (!o.freeze.empty()) apply_freeze(marked, {o.freeze, BatchNormPolicy::automatic}, {});
  const OpenShapes shapes(marked, model.usual_size.height, model.usual_size.width, cpu_backend());
  const Graph& graph = shapes.typed();
  json layers = json::array();
  int64_t parameters = 0, multiply_adds = 0;
  std::set<ValueId> counted;
  for (const Node& node : graph.nodes) {
    int64_t own = 0;
    bool trainable = false;
    const bool norm = node.op->type() == "BatchNormalization";  // its statistics are measured, not learnt
    for (size_t i = 0; i < (norm ? 3 : node.inputs.size()); ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue || !graph.value(id).constant || graph.value(id).dtype != DType::f32) continue;
      trainable = trainable || graph.value(id).trainable;
      if (counted.insert(id).second) own += graph.value(id).shape.elements();
    }
    std::vector<ValueType> outputs{graph.type_of(node.outputs[0])};
    const int64_t work = node.op->multiply_adds(input_types(graph, node), outputs);
    const Shape shape = shapes.of(node.outputs[0]).value_or(outputs[0].shape);
    json layer{{"name", node.name},
               {"op", node.op->type()},
               {"output_shape", static_cast<const std::vector<int64_t>&>(shape)},
               {"output", shape.str()},
               {"parameters", own},
               {"multiply_adds", work}};
    if (!o.freeze.empty()) layer["frozen"] = own > 0 && !trainable;
    layers.push_back(layer);
    parameters += own;
    multiply_adds += work;
  }
  const auto training = model.metadata.other.find("graft.training");
  const Confidence confidence = confidence_of(model);
  json trust;
  if (confidence.temperature != 1) trust["temperature"] = confidence.temperature;
  if (!confidence.thresholds.empty()) trust["thresholds"] = confidence.thresholds;
  if (confidence.ood) trust["references"] = confidence.ood->state().picture_scales.size();
  return {
      {"confidence", trust},
      {"classes", model.metadata.labels},
      {"task", model.metadata.task.empty() ? "classes" : model.metadata.task},
      {"preprocessing", model.metadata.preprocessing ? json::parse(to_json(*model.metadata.preprocessing)) : json()},
      {"training", training == model.metadata.other.end() ? json() : training_json(training->second)},
      {"model", model.path},
      {"opset", model.opset},
      {"ir_version", model.ir_version},
      {"parameters", parameters},
      {"multiply_adds", multiply_adds},
      {"label_count", model.metadata.labels.size()},
      {"layers", layers},
      {"batch", model.declared_batch},
      {"batch_opened", model.batch_opened}};
}

/// Columns count characters, not the bytes of ×.
std::string padded(const std::string& text, size_t width) {
  size_t shown = 0;
  for (char c : text) shown += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return shown < width ? text + std::string(width - shown, ' ') : text;
}

void print(const json& j) {
  std::cout << padded("layer", 44) << padded("operator", 20) << padded("output", 18)
            << "   parameters   multiply-adds\n";
  for (const auto& l : j["layers"]) {
    char numbers[64];
    std::snprintf(numbers, sizeof numbers, "%13lld %15lld", l["parameters"].get<long long>(),
                  l["multiply_adds"].get<long long>());
    std::cout << padded(l["name"].get<std::string>(), 43) << ' ' << padded(l["op"].get<std::string>(), 19) << ' '
              << padded(l["output"].get<std::string>(), 18) << numbers
              << (l.contains("frozen") && l["parameters"].get<int64_t>() > 0
                      ? (l["frozen"].get<bool>() ? "  frozen" : "  trained")
                      : "")
              << "\n";
  }
  std::printf("\n%lld parameters, %lld multiply-adds for one picture; opset %lld, %lld labels\n",
              j["parameters"].get<long long>(), j["multiply_adds"].get<long long>(), j["opset"].get<long long>(),
              j["label_count"].get<long long>());
  const json& classes = j["classes"];
  if (!classes.empty()) {
    std::string names;
    for (size_t i = 0; i < std::min<size_t>(classes.size(), 10); ++i)
      names += (i == 0 ? "" : ", ") + classes[i].get<std::string>();
    std::printf("task %s: %s%s\n", j["task"].get<std::string>().c_str(), names.c_str(),
                classes.size() > 10 ? (", and " + std::to_string(classes.size() - 10) + " more").c_str() : "");
  }
  if (!j["preprocessing"].is_null()) std::printf("preprocessing %s\n", j["preprocessing"].dump().c_str());
  if (!j["confidence"].is_null()) std::printf("confidence %s\n", j["confidence"].dump().c_str());
  if (!j["training"].is_null()) std::printf("training %s\n", j["training"].dump().c_str());
  if (const auto batch = j["batch"].get<long long>(); batch > 0)
    std::printf("exported for %lld picture%s at a time: %s\n", batch, batch == 1 ? "" : "s",
                j["batch_opened"].get<bool>() ? "made open, and checked on random pictures"
                                              : "cannot be made open, pictures run one by one");
}

void print_differences(const Options& o, const OnnxModel& model) {
  const auto lines = differences(model, read_model(o.other));
  if (o.common.json) {
    print_json({{"model", o.model}, {"other", o.other}, {"same", lines.empty()}, {"differences", lines}});
    return;
  }
  for (const std::string& line : lines) std::cout << line << "\n";
  if (lines.empty()) std::cout << "the models are the same\n";
}

void inspect(const Options& o) {
  const OnnxModel model = read_model(o.model);
  if (!o.graph.empty()) return write_atomically(o.graph, [&](std::ostream& stream) { stream << graphviz(model); });
  if (!o.filters.empty())
    return write_image(with_place([&] { return o.model; }, [&] { return filter_sheet(model.graph, 8); }), o.filters);
  if (!o.other.empty()) return print_differences(o, model);
  const json table = with_place([&] { return o.model; }, [&] { return layer_table(model, o); });
  std::cout.flush();
  if (o.common.json)
    print_json(table);
  else
    print(table);
  std::fflush(stdout);
}

}  // namespace

void register_inspect(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("inspect", "Show a model's layers, shapes, parameters and work");
  command->footer(examples({"graft inspect model.onnx", "graft inspect model.onnx --filters filters.png",
                            "graft inspect new.onnx --diff old.onnx"}));
  add_output_options(*command, o->common);
  command->add_option("model", o->model, "ONNX model")->required();
  command->add_option("--freeze", o->freeze, "Show what this freeze policy would freeze");
  command->add_option("--graph", o->graph, "Write the graph for Graphviz (.dot) instead");
  command->add_option("--filters", o->filters, "Write a picture of the first layer's filters (.png) instead");
  command->add_option("--diff", o->other, "Say what differs from this model instead");
  command->callback([o] { inspect(*o); });
}

}  // namespace graft::app
