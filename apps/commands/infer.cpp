#include <nlohmann/json.hpp>

#include <iostream>

#include "apps/commands/commands.h"
#include "apps/common.h"
#include "importer/reader.h"
#include "runtime/base/error.h"
#include "runtime/npy.h"

namespace graft::app {
namespace {

struct Options {
  CommonOptions common;
  std::string model, input, output;
};

void infer(const Options& o) {
  const Model model = read_model(o.model);
  Tensor values = cast(read_npy(o.input), DType::f32);
  if (model.graph.inputs.empty()) throw Error(o.model + ": has no input");
  const Value& input = model.graph.value(model.graph.inputs[0]);
  if (values.shape().size() + 1 == input.shape.size()) {  // one picture without its batch
    Shape batched = values.shape();
    batched.insert(batched.begin(), 1);
    values.reshape(batched);
  }
  const Shape& shape = values.shape();
  bool fits = shape.size() == input.shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = input.shape[i] == kOpenDim || input.shape[i] == shape[i];
  if (!fits) throw Error(o.input + ": holds " + shape.str() + " but \"" + input.name + "\" takes " + input.shape.str(), "save an array of that shape");
  const auto side = [&](size_t i) { return i < shape.size() ? shape[i] : int64_t{1}; };
  Plan plan = with_place([&] { return o.model; }, [&] { return compile_inference(model.graph, {side(0), side(2), side(3)}, backend(o.common), o.common.threads); });
  copy_from_plain(values.raw(), plan.input(0));
  plan.forward();
  const View out = plan.output(0);
  Tensor y(out.dtype, out.shape);
  copy_to_plain(out, y.raw());
  write_npy(o.output, y);
  if (o.common.json) std::cout << nlohmann::json{{"output", o.output}, {"shape", static_cast<const std::vector<int64_t>&>(y.shape())}}.dump() << "\n";
}

}  // namespace

void register_infer(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("infer", "Run one raw tensor through a model");
  add_common(*command, o->common);
  command->add_option("model", o->model, "ONNX model")->required();
  command->add_option("--input", o->input, ".npy of the first input, N×C×H×W or one C×H×W")->required();
  command->add_option("--output", o->output, ".npy to write the first output to")->required();
  command->callback([o] { infer(*o); });
}

}  // namespace graft::app
