#include "importer/label_tail.h"

#include <algorithm>
#include <map>
#include <set>

#include "importer/functions.h"

namespace graft {
namespace {

constexpr const char* kMachineLearning = "ai.onnx.ml";

const onnx::AttributeProto* attribute_of(const onnx::NodeProto& node, const char* name) {
  for (const auto& a : node.attribute())
    if (a.name() == name) return &a;
  return nullptr;
}

std::vector<std::string> strings_of(const onnx::AttributeProto* attribute) {
  if (!attribute) return {};
  return {attribute->strings().begin(), attribute->strings().end()};
}

std::vector<std::string> numbers_of(const onnx::AttributeProto* attribute) {
  std::vector<std::string> names;
  if (attribute)
    for (int64_t v : attribute->ints()) names.push_back(std::to_string(v));
  return names;
}

/// The strings that a LabelEncoder gives for 0, 1, 2 …; empty where its keys are others.
std::vector<std::string> encoded(const onnx::NodeProto& node) {
  const auto *keys = attribute_of(node, "keys_int64s"), *values = attribute_of(node, "values_strings");
  if (!keys || !values || keys->ints_size() != values->strings_size()) return {};
  std::vector<std::string> names(static_cast<size_t>(keys->ints_size()));
  std::set<int64_t> seen;
  for (int i = 0; i < keys->ints_size(); ++i) {
    const int64_t key = keys->ints(i);
    if (key < 0 || key >= keys->ints_size() || !seen.insert(key).second) return {};
    names[static_cast<size_t>(key)] = values->strings(i);
  }
  return names;
}

class LabelTail {
 public:
  explicit LabelTail(onnx::GraphProto& graph) : graph_(graph) {
    for (const auto& tensor : graph.initializer()) note_strings(tensor.name(), tensor);
    for (const auto& node : graph.node())
      if (const auto* value = attribute_of(node, "value");
          node.op_type() == "Constant" && value && node.output_size() == 1)
        note_strings(node.output(0), value->t());
  }

  std::vector<std::string> take() {
    google::protobuf::RepeatedPtrField<onnx::NodeProto> kept;
    for (auto& node : *graph_.mutable_node())
      if (keeps(node)) *kept.Add() = std::move(node);
    graph_.mutable_node()->Swap(&kept);
    remove_outputs();
    auto* tensors = graph_.mutable_initializer();
    tensors->erase(std::remove_if(tensors->begin(), tensors->end(),
                                  [&](const auto& tensor) { return strings_.contains(tensor.name()); }),
                   tensors->end());
    return std::move(labels_);
  }

 private:
  void note_strings(const std::string& name, const onnx::TensorProto& tensor) {
    if (tensor.data_type() == onnx::TensorProto::STRING)
      strings_[name] = {tensor.string_data().begin(), tensor.string_data().end()};
  }
  void name(std::vector<std::string> labels) {
    if (labels_.empty()) labels_ = std::move(labels);
  }

  /// Whether the node stays. One that makes names is noted as made from the numbers of the classes.
  bool keeps(onnx::NodeProto& node) {
    const auto reads = [&](const auto& names) {
      return std::any_of(node.input().begin(), node.input().end(),
                         [&](const std::string& i) { return names.contains(i); });
    };
    if (node.op_type() == "Constant" && node.output_size() == 1 && strings_.contains(node.output(0))) return false;
    const bool other = node.domain() == kMachineLearning;
    if (other && node.op_type() == "ZipMap" && node.input_size() == 1) {
      const auto names = strings_of(attribute_of(node, "classlabels_strings"));
      name(names.empty() ? numbers_of(attribute_of(node, "classlabels_int64s")) : names);
      node.set_op_type("Identity");
      node.clear_domain();
      node.clear_attribute();
      return true;
    }
    const bool picks =
        (other && node.op_type() == "ArrayFeatureExtractor") || (is_own_operator(node) && node.op_type() == "Gather");
    if (picks && node.input_size() == 2 && strings_.contains(node.input(0))) {
      name(strings_.at(node.input(0)));
      return gone(node, node.input(1));
    }
    if (other && node.op_type() == "LabelEncoder" && attribute_of(node, "values_strings") && node.input_size() == 1) {
      name(encoded(node));
      return gone(node, node.input(0));
    }
    if (other && node.op_type() == "LinearClassifier" && node.output_size() > 0) {
      for (auto& a : *node.mutable_attribute())
        if (a.name() == "classlabels_strings" && a.strings_size() > 0) return tells_numbers(a, node.output(0));
      return true;
    }
    // What goes on with names goes with them.
    if (reads(made_of_))
      return gone(node, made_of_.at(*std::find_if(node.input().begin(), node.input().end(),
                                                  [&](const auto& i) { return made_of_.contains(i); })));
    return true;
  }

  /// Makes a classifier's names the numbers of its classes; they are this output.
  bool tells_numbers(onnx::AttributeProto& names, const std::string& output) {
    name({names.strings().begin(), names.strings().end()});
    names.set_name("classlabels_ints");
    names.set_type(onnx::AttributeProto::INTS);
    for (int64_t i = 0; i < names.strings_size(); ++i) names.add_ints(i);
    names.clear_strings();
    made_of_[output] = output;
    return true;
  }

  bool gone(const onnx::NodeProto& node, const std::string& number) {
    for (const std::string& output : node.output()) made_of_[output] = number;
    return false;
  }

  void remove_outputs() {
    auto* outputs = graph_.mutable_output();
    const auto is_name = [&](const onnx::ValueInfoProto& output) { return made_of_.contains(output.name()); };
    if (std::all_of(outputs->begin(), outputs->end(), is_name)) {
      for (auto& output : *outputs) output.set_name(made_of_.at(output.name()));
      return;
    }
    outputs->erase(std::remove_if(outputs->begin(), outputs->end(), is_name), outputs->end());
  }

  onnx::GraphProto& graph_;
  std::map<std::string, std::vector<std::string>> strings_;
  std::map<std::string, std::string> made_of_;  // values of names, and the numbers of their classes
  std::vector<std::string> labels_;
};

}  // namespace

std::vector<std::string> take_label_tail(onnx::GraphProto& graph) { return LabelTail(graph).take(); }

}  // namespace graft
