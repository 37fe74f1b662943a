// Runs ONNX's backend node tests for every operator that graft reads, and says which passed, failed, or lie outside.
// Usage: onnx_backend DATA_DIR [NAME_PART]
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "importer/op_table.h"
#include "importer/reader.h"
#include "runtime/base/error.h"
#include "runtime/plan.h"

namespace fs = std::filesystem;
using namespace graft;

namespace {

template <typename Proto>
Proto load(const fs::path& path) {
  Proto proto;
  std::ifstream stream(path, std::ios::binary);
  if (!proto.ParseFromIstream(&stream)) throw Error("cannot be parsed: " + path.string());
  return proto;
}

/// The model with all inputs but the first turned into initialisers: graft computes weights, axes and bounds once.
onnx::ModelProto with_constant_inputs(onnx::ModelProto model, const std::vector<onnx::TensorProto>& inputs) {
  // ConstantOfShape's only input is a shape.
  const size_t first = model.graph().node_size() == 1 && model.graph().node(0).op_type() == "ConstantOfShape" ? 0 : 1;
  for (size_t i = first; i < inputs.size() && static_cast<int>(i) < model.graph().input_size(); ++i) {
    auto& initialiser = *model.mutable_graph()->add_initializer();
    initialiser = inputs[i];
    initialiser.set_name(model.graph().input(static_cast<int>(i)).name());
  }
  return model;
}

void compare(const Tensor& actual, const Tensor& expected) {
  if (actual.shape() != expected.shape()) throw Error("output is " + actual.shape().str() + ", expected " + expected.shape().str());
  const Tensor a = cast(actual, DType::f64), e = cast(expected, DType::f64);
  for (int64_t i = 0; i < a.elements(); ++i) {
    const double x = a.data<double>()[static_cast<size_t>(i)], y = e.data<double>()[static_cast<size_t>(i)];
    const bool same = x == y || (std::isnan(x) && std::isnan(y)) || std::fabs(x - y) <= 1e-5 + 1e-3 * std::fabs(y);
    if (!same) throw Error("element " + std::to_string(i) + " is " + std::to_string(x) + ", expected " + std::to_string(y));
  }
}

void run_case(const fs::path& folder, const fs::path& scratch) {
  const auto proto = load<onnx::ModelProto>(folder / "model.onnx");
  for (int set = 0; fs::exists(folder / ("test_data_set_" + std::to_string(set))); ++set) {
    const fs::path data = folder / ("test_data_set_" + std::to_string(set));
    std::vector<onnx::TensorProto> inputs, outputs;
    for (int i = 0; fs::exists(data / ("input_" + std::to_string(i) + ".pb")); ++i) inputs.push_back(load<onnx::TensorProto>(data / ("input_" + std::to_string(i) + ".pb")));
    for (int i = 0; fs::exists(data / ("output_" + std::to_string(i) + ".pb")); ++i) outputs.push_back(load<onnx::TensorProto>(data / ("output_" + std::to_string(i) + ".pb")));
    {
      std::ofstream stream(scratch, std::ios::binary);
      with_constant_inputs(proto, inputs).SerializeToOstream(&stream);
    }
    const Model model = read_model(scratch.string());
    const Tensor x = read_tensor(inputs.at(0), "");
    const auto side = [&](size_t i) { return i < x.shape().size() ? x.shape()[i] : int64_t{1}; };
    Plan plan = compile_inference(model.graph, {side(0), side(2), side(3)}, cpu_backend());
    if (plan.input_count() > 0) copy_from_plain(x.raw(), plan.input(0));
    plan.forward();
    for (size_t i = 0; i < std::min(outputs.size(), plan.output_count()); ++i) {
      const View y = plan.output(i);
      Tensor actual(y.dtype, y.shape);
      copy_to_plain(y, actual.raw());
      compare(actual, read_tensor(outputs[i], ""));
    }
  }
}

/// Why a test lies outside of what graft claims; empty where it must pass.
std::string outside(const onnx::ModelProto& model) {
  for (const auto& node : model.graph().node())
    if (!op_table().reader(node.op_type()) || !(node.domain().empty() || node.domain() == "ai.onnx")) return "operator " + node.op_type();
  const auto& inputs = model.graph().input();
  if (inputs.empty()) return "no input";
  const auto type = [](const onnx::ValueInfoProto& v) { return v.type().tensor_type().elem_type(); };
  for (const auto& v : inputs) {
    if (!v.type().has_tensor_type()) return "sequences and optionals";
    for (const auto& dim : v.type().tensor_type().shape().dim())
      if (dim.has_dim_value() && dim.dim_value() == 0) return "empty tensors";
    switch (type(v)) {
      case onnx::TensorProto::FLOAT:
      case onnx::TensorProto::INT64:
      case onnx::TensorProto::INT32: break;
      default: return "element types other than float32, int64 and int32";
    }
  }
  for (const auto& node : model.graph().node()) {
    const std::string& op = node.op_type();
    const int rank = inputs[0].type().tensor_type().shape().dim_size();
    if ((op == "Conv" || op == "MaxPool" || op == "AveragePool") && rank != 4) return "one- and three-dimensional " + op;
    if (op == "MaxPool" && node.output_size() > 1) return "MaxPool with indices";
    if (op == "Pow" && inputs.size() == 2 && type(inputs[0]) != type(inputs[1])) return "Pow of two element types";
    if (op == "Dropout" && (node.output_size() > 1)) return "Dropout with a mask";
    if (op == "BatchNormalization" && node.output_size() > 1) return "BatchNormalization in training form (its own pass in graft)";
    if (op == "Dropout")
      for (const auto& v : inputs)
        if (v.name() == "t" || v.name() == "training_mode") return "Dropout in training form";
    if (op == "Max" || op == "Min" || op == "Sum") if (node.input_size() < 2) return op + " of one operand";
    if (op == "Cast")
      for (const auto& a : node.attribute()) if (a.name() == "to" && a.i() != 1 && a.i() != 6 && a.i() != 7) return "Cast to other element types";
  }
  if (model.opset_import(0).version() < 7) return "opsets below 7";
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string filter = argc > 2 ? argv[2] : "";
  std::map<std::string, int> left_out;
  std::map<std::string, std::pair<int, int>> by_operator;  // passed, all
  int passed = 0, failed = 0;
  const fs::path scratch = fs::temp_directory_path() / ("graft_onnx_backend_" + std::to_string(std::hash<std::string>{}(argv[1]) & 0xffff) + ".onnx");
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(argv[1])) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  for (const fs::path& folder : folders) {
    if (!fs::exists(folder / "model.onnx") || folder.filename().string().find(filter) == std::string::npos) continue;
    const auto proto = load<onnx::ModelProto>(folder / "model.onnx");
    const std::string reason = outside(proto);
    if (!reason.empty()) {
      ++left_out[reason];
      continue;
    }
    std::set<std::string> operators;
    for (const auto& node : proto.graph().node()) operators.insert(node.op_type());
    try {
      run_case(folder, scratch);
      ++passed;
      for (const auto& op : operators) ++by_operator[op].first;
    } catch (const std::exception& e) {
      ++failed;
      std::printf("FAILED %s: %s\n", folder.filename().c_str(), e.what());
    }
    for (const auto& op : operators) ++by_operator[op].second;
  }
  fs::remove(scratch);
  std::printf("\noperator: tests passed\n");
  for (const auto& [op, counts] : by_operator) std::printf("  %-22s %d of %d\n", op.c_str(), counts.first, counts.second);
  std::printf("\nnot supported, and left out:\n");
  int total_left_out = 0;
  for (const auto& [reason, count] : left_out) {
    std::printf("  %4d  %s\n", count, reason.c_str());
    total_left_out += count;
  }
  std::printf("\nONNX backend node tests: %d passed, %d failed, %d left out\n", passed, failed, total_left_out);
  return failed == 0 && passed > 0 ? 0 : 1;
}
