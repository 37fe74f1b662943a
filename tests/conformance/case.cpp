#include "tests/conformance/case.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "finetune/heads/freeze.h"
#include "finetune/heads/head.h"
#include "importer/op_table.h"
#include "importer/reader.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"
#include "tests/conformance/allocations.h"

namespace graft::conformance {
namespace {

namespace fs = std::filesystem;

template <typename Proto>
Proto load(const fs::path& path) {
  Proto proto;
  std::ifstream stream(path, std::ios::binary);
  if (!proto.ParseFromIstream(&stream)) throw Error("cannot be parsed: " + path.string());
  return proto;
}

OnnxModel import(const onnx::ModelProto& proto) {
  const fs::path scratch = fs::temp_directory_path() / ("graft_conformance_" + std::to_string(::getpid()) + ".onnx");
  {
    std::ofstream stream(scratch, std::ios::binary);
    proto.SerializeToOstream(&stream);
  }
  OnnxModel model = read_model(scratch.string());
  fs::remove(scratch);
  return model;
}

void compare(const Tensor& actual, const Tensor& expected) {
  if (actual.shape() != expected.shape())
    throw Error("output is " + actual.shape().str() + ", expected " + expected.shape().str());
  const Tensor a = cast(actual, DType::f64), e = cast(expected, DType::f64);
  for (int64_t i = 0; i < a.elements(); ++i) {
    const double x = a.data<double>()[static_cast<size_t>(i)], y = e.data<double>()[static_cast<size_t>(i)];
    const bool same = x == y || (std::isnan(x) && std::isnan(y)) || std::fabs(x - y) <= 1e-5 + 1e-3 * std::fabs(y);
    if (!same)
      throw Error("element " + std::to_string(i) + " is " + std::to_string(x) + ", expected " + std::to_string(y));
  }
}

/// The open dimensions of a network are those of its first input.
OpenDims dims_of(const Tensor& x) {
  const auto side = [&](size_t i) { return i < x.shape().size() ? x.shape()[i] : int64_t{1}; };
  return {side(0), side(2), side(3)};
}

/// Numbers that only shape a result are constants even where they come first.
size_t first_constant(const Case& test, const Case::Data& data) {
  const bool scalar = !data.inputs.empty() && data.inputs[0].dims_size() == 0;
  const bool makes_values =
      test.model.graph().node_size() == 1 && test.model.graph().node(0).op_type() == "ConstantOfShape";
  bool shapes = false;
  for (const auto& node : test.model.graph().node())
    shapes = shapes || node.op_type() == "Range" || node.op_type() == "If" || node.op_type() == "Loop";
  return makes_values || (scalar && shapes) ? 0 : 1;
}

}  // namespace

Case load_case(const fs::path& folder) {
  Case test{folder.filename().string(), load<onnx::ModelProto>(folder / "model.onnx"), {}};
  for (int set = 0; fs::exists(folder / ("test_data_set_" + std::to_string(set))); ++set) {
    const fs::path data = folder / ("test_data_set_" + std::to_string(set));
    auto& one = test.data.emplace_back();
    const auto load_all = [&](const std::string& stem, std::vector<onnx::TensorProto>& list) {
      for (int i = 0; fs::exists(data / (stem + std::to_string(i) + ".pb")); ++i)
        list.push_back(load<onnx::TensorProto>(data / (stem + std::to_string(i) + ".pb")));
    };
    load_all("input_", one.inputs);
    load_all("output_", one.outputs);
  }
  return test;
}

Case load_light_case(const fs::path& path) {
  Case test{path.stem().string(), load<onnx::ModelProto>(path), {}};
  std::vector<std::string> initialised;
  for (const auto& tensor : test.model.graph().initializer()) initialised.push_back(tensor.name());
  auto& data = test.data.emplace_back();
  for (const auto& input : test.model.graph().input()) {
    if (std::find(initialised.begin(), initialised.end(), input.name()) != initialised.end()) continue;
    auto& tensor = data.inputs.emplace_back();
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    int64_t n = 1;
    for (const auto& dim : input.type().tensor_type().shape().dim()) {
      tensor.add_dims(dim.has_dim_value() ? dim.dim_value() : 1);
      n *= tensor.dims(tensor.dims_size() - 1);
    }
    for (int64_t i = 0; i < n; ++i)
      tensor.add_float_data(static_cast<float>(static_cast<double>(i) / static_cast<double>(n)));
  }
  fs::path output = path;
  data.outputs.push_back(load<onnx::TensorProto>(output.replace_filename(path.stem().string() + "_output_0.pb")));
  return test;
}

onnx::ModelProto with_constant_inputs(onnx::ModelProto model, const std::vector<onnx::TensorProto>& inputs,
                                      size_t first) {
  for (size_t i = first; i < inputs.size() && static_cast<int>(i) < model.graph().input_size(); ++i) {
    auto& initialiser = *model.mutable_graph()->add_initializer();
    initialiser = inputs[i];
    initialiser.set_name(model.graph().input(static_cast<int>(i)).name());
  }
  return model;
}

namespace {

/// Runs one pass again and throws Error where a kernel allocates: the first run may fill what a library keeps for
/// itself. A device's queue is not a kernel.
template <typename Pass>
void check_no_allocation(const char* name, const Plan& plan, const Pass& pass) {
  if (plan.backend().device()) return;
  const int64_t before = allocations();
  pass();
  if (const int64_t made = allocations() - before; made > 0)
    throw Error(std::to_string(made) + " allocations in a " + name + " pass");
}

}  // namespace

void run_case(const Case& test) {
  for (const Case::Data& data : test.data) {
    const OnnxModel model = import(with_constant_inputs(test.model, data.inputs, first_constant(test, data)));
    const Tensor x = data.inputs.empty() ? Tensor(DType::f32, {1}) : read_tensor(data.inputs[0], {});
    Plan plan = compile_inference(model.graph, dims_of(x), test_backend());
    if (plan.input_count() > 0) {
      const View input = plan.input(0);
      const Tensor converted = cast(x, input.dtype);
      copy_from_plain(converted.raw(), input);
    }
    plan.forward();
    if (plan.output_count() != data.outputs.size())
      throw Error("has " + std::to_string(plan.output_count()) + " outputs, expected " +
                  std::to_string(data.outputs.size()));
    for (size_t i = 0; i < plan.output_count(); ++i) {
      const View y = plan.output(i);
      // Half and double numbers are converted to float32 when they are read: such outputs are float32, too.
      const DType expected = read_tensor(data.outputs[i], {}).dtype();
      if (y.dtype != expected)
        throw Error(std::string("output ") + std::to_string(i) + " is " + name_of(y.dtype) + ", expected " +
                    name_of(expected));
      Tensor actual(y.dtype, y.shape);
      copy_to_plain(y, actual.raw());
      compare(actual, read_tensor(data.outputs[i], {}));
    }
    check_no_allocation("forward", plan, [&] { plan.forward(); });
  }
}

/// Beyond, some maximum always changes under a step, however small.
constexpr int64_t kLargestChecked = 100000;

bool check_gradient(const Case& test) {
  const Case::Data& data = test.data.at(0);
  // Constants lie row-major, where statistics of a batch are not taken; tests/runtime/norms_test.cpp checks that
  // gradient.
  for (const auto& node : test.model.graph().node())
    if (node.op_type() == "BatchNormalization" && node.output_size() > 1) return false;
  OnnxModel model = import(with_constant_inputs(test.model, data.inputs, 0));
  Graph& graph = model.graph;
  graph.outputs.resize(1);
  struct Input {
    std::shared_ptr<Tensor> tensor;
    Tensor start, direction;
  };
  std::vector<Input> inputs;
  Random random(17);
  bool fixed_statistics = false;  // a batch norm's parameters are frozen with them
  for (const Node& node : graph.nodes) fixed_statistics = fixed_statistics || node.op->type() == "BatchNormalization";
  for (size_t i = 0; i < graph.value_count(); ++i) {
    Value& value = graph.value(static_cast<ValueId>(i));
    const bool is_input = std::any_of(test.model.graph().input().begin(), test.model.graph().input().end(),
                                      [&](const auto& v) { return v.name() == value.name; });
    // Numbers that only place or bound things (scales, ratios) are not differentiated.
    if (!is_input || (fixed_statistics && !inputs.empty()) || !value.constant ||
        value.constant->elements() > kLargestChecked || value.dtype != DType::f32 || value.constant->elements() == 0 ||
        (inputs.size() > 0 && value.shape.rank() == 0))
      continue;
    value.trainable = true;
    inputs.push_back({value.constant, value.constant->clone(), Tensor(DType::f32, value.shape)});
    for (float& v : inputs.back().direction.data<float>()) v = random.uniform(-1, 1);
    // Off the round numbers of the examples, where functions have their kinks.
    for (float& v : inputs.back().start.data<float>()) {
      if (!(std::fabs(v) < 1e3f)) return false;  // a step would be lost in rounding
      v += random.uniform(0.01f, 0.03f);
    }
    std::copy_n(inputs.back().start.data<float>().data(), inputs.back().start.elements(),
                value.constant->data<float>().data());
  }
  if (inputs.empty() || graph.value(graph.outputs[0]).dtype != DType::f32) return false;

  std::unique_ptr<TrainingPlan> training;
  try {
    training = std::make_unique<TrainingPlan>(compile_training(graph, {1, 1, 1}, test_backend()));
  } catch (const Error& e) {
    if (std::string(e.what()).find("gradient") != std::string::npos) return false;
    throw;
  }
  Plan& plan = training->plan;
  plan.refresh();
  const View y = plan.output(0);
  Tensor slopes(DType::f32, y.shape);
  for (float& v : slopes.data<float>()) v = random.uniform(-1, 1);
  plan.forward();
  copy_from_plain(slopes.raw(), plan.input(training->first_seed));
  plan.backward();
  double analytic = 0, scale = 0;
  for (const auto& [parameter, output] : training->gradients) {
    const View g = plan.output(output);
    Tensor gradient(DType::f32, g.shape);
    copy_to_plain(g, gradient.raw());
    for (const Input& input : inputs) {
      if (input.tensor != parameter) continue;
      for (size_t i = 0; i < static_cast<size_t>(gradient.elements()); ++i) {
        const double term =
            static_cast<double>(gradient.data<float>()[i]) * static_cast<double>(input.direction.data<float>()[i]);
        analytic += term;
        scale += std::fabs(term);
      }
    }
  }
  check_no_allocation("training forward", plan, [&] { plan.forward(); });
  check_no_allocation("backward", plan, [&] { plan.backward(); });
  const auto loss = [&](double step) {
    for (Input& input : inputs)
      for (size_t i = 0; i < input.start.data<float>().size(); ++i) {
        input.tensor->data<float>()[i] =
            static_cast<float>(static_cast<double>(input.start.data<float>()[i]) +
                               step * static_cast<double>(input.direction.data<float>()[i]));
      }
    plan.refresh();
    plan.forward();
    Tensor value(DType::f32, y.shape);
    copy_to_plain(plan.output(0), value.raw());
    double sum = 0;
    for (size_t i = 0; i < value.data<float>().size(); ++i)
      sum += static_cast<double>(value.data<float>()[i]) * static_cast<double>(slopes.data<float>()[i]);
    return sum;
  };
  // Kinks (a maximum that changes, a bound that is passed) spoil large steps, rounding spoils small ones.
  double best = 0, largest = 0;
  {
    Tensor value(DType::f32, y.shape);
    copy_to_plain(plan.output(0), value.raw());
    for (float v : value.data<float>()) {
      if (!std::isfinite(v)) return false;
      largest = std::max(largest, std::fabs(static_cast<double>(v)));
    }
  }
  for (const double step : {1e-2, 3e-3, 1e-3, 3e-4, 3e-5}) {
    const double numeric = (loss(step) - loss(-step)) / (2 * step);
    const double error = std::fabs(numeric - analytic) / (1e-3 + scale);
    const double rounding = 1e-6 * largest / step;
    if (error < 1e-2 || std::fabs(numeric - analytic) < rounding) return true;
    best = numeric;
  }
  throw Error("the gradient is " + std::to_string(analytic) + " along a direction where differences give " +
              std::to_string(best));
}

void check_head(const Case& test) {
  Graph graph = import(test.model).graph;
  const GraftedHead head = graft_head(graph, {3, 1});
  if (head.replaced.empty()) throw Error("its classifier was not found");
  if (graph.value(graph.outputs[0]).shape.back() != 3) throw Error("the new head has other outputs");
  apply_freeze(graph, {"all", BatchNormPolicy::automatic}, head.parameters);
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    const bool of_head = std::find(head.parameters.begin(), head.parameters.end(), value.name) != head.parameters.end();
    if (value.constant && value.trainable != of_head)
      throw Error("\"" + value.name + "\" is " + (value.trainable ? "trained" : "frozen"));
  }
}

}  // namespace graft::conformance
