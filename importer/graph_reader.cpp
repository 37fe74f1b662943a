#include "importer/graph_reader.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>

#include "importer/op_table.h"
#include "importer/required_inputs.h"
#include "importer/tensor_types.h"
#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"
#include "runtime/ops/conditional.h"

namespace graft {
namespace {

constexpr int64_t kMostNodesMade = 2 * LocalFunctions::kMostNodes;
// Constants may take so many times what the file (and the files beside it) hold: half types become float32, and a
// function's constants stand once for each call.
constexpr size_t kConstantGrowth = 8, kConstantAllowance = size_t{256} << 20;

Shape input_shape(const onnx::ValueInfoProto& info, int64_t largest_extent) {
  Shape shape;
  const auto& declared = info.type().tensor_type();
  for (const auto& dim : declared.shape().dim()) {
    const int64_t extent = dim.has_dim_value() ? dim.dim_value() : kOpenDim;
    if (extent < kOpenDim || extent > largest_extent) {  // some exporters write -1 for an open extent
      throw Error("declares the extent " + std::to_string(extent) + ", outside 0…" + std::to_string(largest_extent),
                  "the file is damaged");
    }
    shape.push_back(extent);
  }
  if (shape.size() == 4) std::replace(shape.begin(), shape.end(), int64_t{0}, kOpenDim);  // others write 0
  return shape;
}

std::string place_of_node(const onnx::NodeProto& node) {
  const std::string& name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
  return "node \"" + name + "\" (" + node.op_type() + ")";
}

const onnx::GraphProto* branch_of(const onnx::NodeProto& node, const char* name) {
  for (const auto& attribute : node.attribute())
    if (attribute.name() == name && attribute.has_g()) return &attribute.g();
  return nullptr;
}

/// An output of a graph, a branch or a function that is no value.
[[noreturn]] void refuse_output(const NameScope& scope, const std::string& name) {
  if (scope.find_sequence(name))
    throw Error("output \"" + name + "\" is a sequence of tensors", {}, ErrorCode::unsupported);
  throw Error("output \"" + name + "\" is made by no node", "the file is damaged");
}

}  // namespace

Graph GraphReader::read() {
  NameScope scope(own_opset(model_));
  const onnx::GraphProto& proto = model_.graph();
  add_read_names(proto.node(), scope);
  for (const auto& output : proto.output()) scope.read_names.insert(output.name());
  read_initialisers(proto, scope);
  read_inputs(scope);
  read_nodes(proto.node(), scope);
  if (proto.output_size() == 0) throw Error("declares no output", "the file is damaged");
  for (const auto& output : proto.output()) {
    const ValueId id = scope.find(output.name());
    if (id == kNoValue) refuse_output(scope, output.name());
    graph_.outputs.push_back(id);
  }
  free_batch();
  return std::move(graph_);
}

void GraphReader::add_read_names(const Nodes& nodes, NameScope& scope) const {
  for (const auto& node : nodes) {
    scope.read_names.insert(node.input().begin(), node.input().end());
    for (const auto& attribute : node.attribute()) {
      if (!attribute.has_g()) continue;
      add_read_names(attribute.g().node(), scope);
      for (const auto& output : attribute.g().output()) scope.read_names.insert(output.name());
    }
  }
}

void GraphReader::read_inputs(NameScope& scope) {
  for (const auto& input : model_.graph().input()) {
    if (scope.defines(input.name())) continue;  // old files list initialisers among the inputs
    with_place([&] { return "input \"" + input.name() + "\""; },
               [&] {
                 if (!input.type().has_tensor_type()) throw Error("is not a tensor");
                 Shape shape = input_shape(input, kLargestInputExtent);
                 if (!input.type().tensor_type().has_shape()) shape = {kOpenDim, kOpenDim, kOpenDim, kOpenDim};
                 if (!shape.empty() && shape[0] != kOpenDim) fixed_batch_ = shape[0];
                 scope.define(
                     input.name(),
                     graph_.add_input(input.name(), activation_dtype(input.type().tensor_type().elem_type()), shape));
               });
  }
}

void GraphReader::count_bytes(const Tensor& tensor) {
  constant_bytes_ += tensor.bytes();
  if (constant_bytes_ > kConstantAllowance + kConstantGrowth * weights_.bytes_read())
    throw Error("would hold " + mebibytes(constant_bytes_) + " of constants, many times the size of the file",
                "the file is damaged or made to exhaust memory");
}

void GraphReader::read_initialisers(const onnx::GraphProto& graph, NameScope& scope) {
  for (const auto& proto : graph.initializer()) {
    if (scope.defines(proto.name()))
      throw Error("initialiser \"" + proto.name() + "\" is there twice", "the file is damaged");
    Tensor tensor = read_tensor(proto, weights_);
    count_bytes(tensor);
    scope.define(proto.name(), graph_.add_constant(proto.name(), std::move(tensor)));
  }
  if (graph.sparse_initializer_size() > 0) throw Error("has sparse initialisers, which graft does not read");
}

std::set<std::string> GraphReader::names_read_by(const onnx::NodeProto& node) const {
  std::set<std::string> names(node.input().begin(), node.input().end());
  NameScope inner(0);
  for (const auto& attribute : node.attribute()) {
    if (!attribute.has_g()) continue;
    add_read_names(attribute.g().node(), inner);
    for (const auto& output : attribute.g().output()) inner.read_names.insert(output.name());
    for (const auto& made : attribute.g().node())
      for (const auto& name : made.output()) inner.read_names.erase(name);
    for (const auto& given : attribute.g().input()) inner.read_names.erase(given.name());
    for (const auto& constant : attribute.g().initializer()) inner.read_names.erase(constant.name());
  }
  names.merge(inner.read_names);
  return names;
}

void GraphReader::read_nodes(const Nodes& nodes, NameScope& scope) {
  // Most files are sorted: a node whose inputs are there is read at once; others wait for the names they lack.
  std::map<std::string, std::vector<int>> waiting;
  std::vector<size_t> missing(static_cast<size_t>(nodes.size()), 0);
  std::set<std::string> made_here;
  for (const auto& node : nodes) made_here.insert(node.output().begin(), node.output().end());
  int read = 0;
  std::deque<int> ready;
  const auto run = [&] {
    while (!ready.empty()) {
      const int n = ready.front();
      ready.pop_front();
      read_node(nodes[n], scope);
      ++read;
      for (const auto& name : nodes[n].output()) {
        const auto it = waiting.find(name);
        if (it == waiting.end()) continue;
        for (int waiter : it->second)
          if (--missing[static_cast<size_t>(waiter)] == 0) ready.push_back(waiter);
        waiting.erase(it);
      }
    }
  };
  for (int n = 0; n < nodes.size(); ++n) {
    for (const auto& name : names_read_by(nodes[n])) {
      if (name.empty() || scope.defines(name) || !made_here.contains(name)) continue;
      waiting[name].push_back(n);
      ++missing[static_cast<size_t>(n)];
    }
    if (missing[static_cast<size_t>(n)] == 0) ready.push_back(n);
    run();
  }
  if (read == nodes.size()) return;
  for (int n = 0; n < nodes.size(); ++n)
    if (missing[static_cast<size_t>(n)] > 0)
      throw Error("node \"" + nodes[n].name() + "\" (" + nodes[n].op_type() +
                      ") waits for a value that is made from its own result",
                  "the file is damaged: its nodes form a cycle");
}

void GraphReader::read_node(const onnx::NodeProto& node, NameScope& scope) {
  // Some of ONNX's nodes become several of graft's, loops are unrolled, and what is unrolled need not make a node.
  if (static_cast<int64_t>(graph_.nodes.size()) > kMostNodesMade || ++nodes_read_ > kMostNodesMade)
    throw Error("becomes more than " + std::to_string(kMostNodesMade) + " nodes",
                "the file is damaged or made to exhaust memory");
  if (const auto* function = functions_.find(node)) return read_call(node, *function, scope);
  if (is_own_operator(node) && node.op_type() == "If") {
    return with_place([&] { return place_of_node(node); }, [&] { read_if(node, scope); });
  }
  if (is_own_operator(node) && node.op_type() == "Loop") {
    return with_place([&] { return place_of_node(node); }, [&] { read_loop(node, scope, *this); });
  }
  NodeReader reader(node, weights_, graph_, scope);
  with_place([&] { return place_of_node(node); },
             [&] {
               const size_t before = graph_.value_count();
               const auto read = op_table().reader(operator_name(node));
               if (!read) throw Error("is an operator that graft does not know", {}, ErrorCode::unsupported);
               require_inputs(reader, is_own_operator(node));
               read(reader);
               for (size_t id = before; id < graph_.value_count(); ++id)
                 if (const auto& tensor = graph_.value(static_cast<ValueId>(id)).constant) count_bytes(*tensor);
             });
}

void GraphReader::read_call(const onnx::NodeProto& call, const onnx::FunctionProto& function, NameScope& scope) {
  with_place([&] { return "call \"" + call.name() + "\" of function \"" + function.name() + "\""; },
             [&] {
               const int64_t opset = own_opset(function);
               NameScope body(opset > 0 ? opset : scope.opset());
               if (call.input_size() > function.input_size() || call.output_size() > function.output_size())
                 throw Error("has more inputs or outputs than the function", "the file is damaged");
               for (int i = 0; i < call.input_size(); ++i) {
                 if (call.input(i).empty()) continue;
                 const ValueId id = scope.find(call.input(i));
                 if (id == kNoValue)
                   throw Error("reads \"" + call.input(i) + "\", which no node makes", "the file is damaged");
                 body.define(function.input(i), id);
               }
               Nodes nodes;
               for (const auto& node : function.node()) {
                 *nodes.Add() = with_attributes_of_call(node, call, function);
                 // An input that the call leaves out is absent inside, too.
                 for (auto& name : *nodes[nodes.size() - 1].mutable_input())
                   if (std::find(function.input().begin(), function.input().end(), name) != function.input().end() &&
                       !body.defines(name))
                     name.clear();
               }
               add_read_names(nodes, body);
               body.read_names.insert(function.output().begin(), function.output().end());
               read_nodes(nodes, body);
               for (int i = 0; i < call.output_size(); ++i) {
                 if (call.output(i).empty()) continue;
                 const ValueId made = body.find(function.output(i));
                 if (made == kNoValue) refuse_output(body, function.output(i));
                 scope.define(call.output(i), made);
               }
             });
}

void GraphReader::read_subgraph(const Nodes& nodes, NameScope& scope) {
  add_read_names(nodes, scope);
  read_nodes(nodes, scope);
}

ValueId GraphReader::add_body_input(const std::string& name, DType dtype, Shape shape) {
  const ValueId id = graph_.add_input(name, dtype, std::move(shape));
  graph_.inputs.pop_back();
  return id;
}

std::vector<Node> GraphReader::read_body(const Nodes& nodes, const std::vector<ValueId>& inputs, NameScope& scope) {
  const size_t first = graph_.nodes.size();
  count_producers();  // those before the body: producers_counted_ stands there again afterwards
  for (ValueId id : inputs) follows_input_[static_cast<size_t>(id)] = true;
  ++kept_bodies_;
  read_subgraph(nodes, scope);
  --kept_bodies_;
  const auto begin = graph_.nodes.begin() + static_cast<std::ptrdiff_t>(first);
  std::vector<Node> body(std::make_move_iterator(begin), std::make_move_iterator(graph_.nodes.end()));
  graph_.nodes.erase(begin, graph_.nodes.end());
  producers_counted_ = std::min(producers_counted_, first);
  return body;
}

std::vector<ValueId> GraphReader::read_branch(const onnx::NodeProto& node, bool holds, NameScope& scope) {
  const onnx::GraphProto* branch = branch_of(node, holds ? "then_branch" : "else_branch");
  if (!branch || branch->output_size() != node.output_size())
    throw Error("a branch is missing, or has other outputs", "the file is damaged");
  NameScope inner(scope.opset(), &scope);
  add_read_names(branch->node(), inner);
  for (const auto& output : branch->output()) inner.read_names.insert(output.name());
  read_initialisers(*branch, inner);
  read_nodes(branch->node(), inner);
  std::vector<ValueId> results;
  for (const auto& output : branch->output()) {
    results.push_back(inner.find(output.name()));
    if (results.back() == kNoValue) refuse_output(inner, output.name());
  }
  return results;
}

/// Takes the branch that a constant condition chooses into the graph, or both where extents choose that are still open.
void GraphReader::read_if(const onnx::NodeProto& node, NameScope& scope) {
  if (node.output_size() == 0) throw Error("has no outputs", "the file is damaged");
  const ValueId condition = node.input_size() == 1 ? scope.find(node.input(0)) : kNoValue;
  if (condition == kNoValue) throw Error("has no condition", "the file is damaged");
  const bool is_open = follows_input(condition);
  bool holds = true;
  if (!is_open || kept_bodies_ == 0) {  // what an iteration is given is not known now
    const auto choice = known(condition);
    if (!choice || choice->elements() != 1)
      throw Error("the condition depends on the data, which graft does not run", {}, ErrorCode::unsupported);
    holds = cast(*choice, DType::i64).data<int64_t>()[0] != 0;
  }
  std::vector<ValueId> results = read_branch(node, holds, scope);
  if (is_open) {
    std::vector<ValueId> inputs{condition}, other = read_branch(node, !holds, scope);
    for (const auto& branch : {holds ? results : other, holds ? other : results})
      inputs.insert(inputs.end(), branch.begin(), branch.end());
    graph_.append_node(node.name().empty() ? node.output(0) : node.name(), std::make_shared<If>(), inputs,
                       {node.output().begin(), node.output().end()});
    results = graph_.nodes.back().outputs;
  }
  for (int i = 0; i < node.output_size(); ++i) scope.define(node.output(i), results[static_cast<size_t>(i)]);
}

}  // namespace graft
