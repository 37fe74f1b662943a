#include "importer/graph_reader.h"

#include <algorithm>
#include <deque>
#include <optional>

#include "importer/loop.h"
#include "importer/op_table.h"
#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

constexpr int64_t kLargestInputExtent = 1 << 14;
// One value of a picture's pass: 1 GiB of float32. Published networks stay a hundred times below.
constexpr int64_t kLargestValueElements = int64_t{1} << 28;
// Constants may take so many times what the file (and the files beside it) hold: half types become float32, and a
// function's constants stand once for each call.
constexpr size_t kConstantGrowth = 8, kConstantAllowance = size_t{256} << 20;

DType activation_dtype(int type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
    case onnx::TensorProto::DOUBLE:
      return DType::f32;
    case onnx::TensorProto::INT64:
      return DType::i64;
    case onnx::TensorProto::INT32:
      return DType::i32;
    case onnx::TensorProto::UINT8:
      return DType::u8;
    case onnx::TensorProto::INT8:
      return DType::i8;
    case onnx::TensorProto::BOOL:
      return DType::boolean;
    default:
      throw Error("element type " + std::to_string(type) + " is not supported");
  }
}

Shape input_shape(const onnx::ValueInfoProto& info) {
  Shape shape;
  const auto& declared = info.type().tensor_type();
  for (const auto& dim : declared.shape().dim()) {
    const int64_t extent = dim.has_dim_value() ? dim.dim_value() : kOpenDim;
    if (dim.has_dim_value() && (extent < 0 || extent > kLargestInputExtent)) {
      throw Error(
          "declares the extent " + std::to_string(extent) + ", outside 0…" + std::to_string(kLargestInputExtent),
          "the file is damaged");
    }
    shape.push_back(extent);
  }
  return shape;
}

/// Sides of pictures that networks are made for, the commonest first.
constexpr int64_t kSides[] = {224, 299, 256, 384, 320, 448, 512, 640, 1024, 192, 160, 128, 96, 64, 48, 32, 28, 16, 8};

const onnx::GraphProto* branch_of(const onnx::NodeProto& node, const char* name) {
  for (const auto& attribute : node.attribute())
    if (attribute.name() == name && attribute.has_g()) return &attribute.g();
  return nullptr;
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
    if (id == kNoValue) throw Error("output \"" + output.name() + "\" is made by no node", "the file is damaged");
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
                 Shape shape = input_shape(input);
                 if (shape.empty() && !input.type().tensor_type().has_shape()) throw Error("declares no shape");
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

void GraphReader::read_nodes(const Nodes& nodes, NameScope& scope) {
  // Most files are sorted: a node whose inputs are there is read at once; others wait for the names they lack.
  std::map<std::string, std::vector<int>> waiting;
  std::vector<size_t> missing(static_cast<size_t>(nodes.size()), 0);
  std::set<std::string> made_here;
  for (const auto& node : nodes) made_here.insert(node.output().begin(), node.output().end());
  const auto needs = [&](const onnx::NodeProto& node) {
    std::set<std::string> names(node.input().begin(), node.input().end());
    NameScope inner(0);
    for (const auto& attribute : node.attribute())
      if (attribute.has_g()) {
        add_read_names(attribute.g().node(), inner);
        for (const auto& output : attribute.g().output()) inner.read_names.insert(output.name());
        for (const auto& made : attribute.g().node())
          for (const auto& name : made.output()) inner.read_names.erase(name);
      }
    names.merge(inner.read_names);
    return names;
  };
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
    for (const auto& name : needs(nodes[n])) {
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
  // Some of ONNX's nodes become several of graft's, and loops are unrolled.
  if (static_cast<int64_t>(graph_.nodes.size()) > 4 * LocalFunctions::kMostNodes)
    throw Error("becomes more than " + std::to_string(4 * LocalFunctions::kMostNodes) + " nodes",
                "the file is damaged or made to exhaust memory");
  if (const auto* function = functions_.find(node)) return read_call(node, *function, scope);
  if (is_own_operator(node) && node.op_type() == "If") {
    return with_place([&] { return "node \"" + node.name() + "\" (If)"; }, [&] { read_if(node, scope); });
  }
  if (is_own_operator(node) && node.op_type() == "Loop") {
    const SubgraphReader body{graph_, [&](ValueId id) { return known(id); },
                              [&](const onnx::GraphProto& graph, NameScope& inner) { read_initialisers(graph, inner); },
                              [&](const Nodes& nodes, NameScope& inner) {
                                add_read_names(nodes, inner);
                                read_nodes(nodes, inner);
                              }};
    return with_place([&] { return "node \"" + node.name() + "\" (Loop)"; }, [&] { unroll_loop(node, scope, body); });
  }
  NodeReader reader(node, weights_, graph_, scope);
  with_place([&] { return "node \"" + reader.name() + "\" (" + node.op_type() + ")"; },
             [&] {
               const size_t before = graph_.value_count();
               op_table().reader(node.op_type())(reader);
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
                 if (made == kNoValue)
                   throw Error("output \"" + function.output(i) + "\" is made by no node", "the file is damaged");
                 scope.define(call.output(i), made);
               }
             });
}

/// Takes the branch that a constant condition chooses into the graph.
void GraphReader::read_if(const onnx::NodeProto& node, NameScope& scope) {
  const ValueId condition = node.input_size() == 1 ? scope.find(node.input(0)) : kNoValue;
  if (condition == kNoValue) throw Error("has no condition", "the file is damaged");
  const auto choice = known(condition);
  if (!choice || choice->elements() != 1) throw Error("the condition depends on the data, which graft does not run");
  const bool yes = cast(*choice, DType::i64).data<int64_t>()[0] != 0;
  const onnx::GraphProto* branch = branch_of(node, yes ? "then_branch" : "else_branch");
  if (!branch || branch->output_size() != node.output_size())
    throw Error("a branch is missing, or has other outputs", "the file is damaged");
  NameScope inner(scope.opset(), &scope);
  add_read_names(branch->node(), inner);
  for (const auto& output : branch->output()) inner.read_names.insert(output.name());
  read_initialisers(*branch, inner);
  read_nodes(branch->node(), inner);
  for (int i = 0; i < node.output_size(); ++i) {
    const ValueId made = inner.find(branch->output(i).name());
    if (made == kNoValue)
      throw Error("branch output \"" + branch->output(i).name() + "\" is made by no node", "the file is damaged");
    scope.define(node.output(i), made);
  }
}

std::shared_ptr<const Tensor> GraphReader::known(ValueId id) {
  if (graph_.value(id).constant) return graph_.value(id).constant;
  if (const auto it = known_.find(id); it != known_.end()) return it->second;
  producer_.resize(graph_.value_count(), -1);
  for (; producers_counted_ < graph_.nodes.size(); ++producers_counted_)
    for (ValueId made : graph_.nodes[producers_counted_].outputs)
      producer_[static_cast<size_t>(made)] = static_cast<int>(producers_counted_);

  // The nodes that the value follows from, down to what is known already.
  std::set<int> nodes;
  std::vector<ValueId> open{id};
  while (!open.empty()) {
    const ValueId v = open.back();
    open.pop_back();
    const int n = v == kNoValue || known_.contains(v) ? -1 : producer_[static_cast<size_t>(v)];
    if (n < 0 || !nodes.insert(n).second) continue;
    for (ValueId input : graph_.nodes[static_cast<size_t>(n)].inputs) open.push_back(input);
  }
  Graph cone;
  std::map<ValueId, ValueId> of{{kNoValue, kNoValue}};
  const auto leaf = [&](ValueId v) {
    if (of.contains(v)) return;
    const Value& value = graph_.value(v);
    if (const auto it = known_.find(v); it != known_.end())
      of[v] = cone.add_constant(value.name, it->second->clone());
    else
      of[v] = value.constant ? cone.add_constant(value.name, value.constant)
                             : cone.add_input(value.name, value.dtype, value.shape);
  };
  for (int n : nodes) {
    const Node& node = graph_.nodes[static_cast<size_t>(n)];
    std::vector<ValueId> inputs;
    for (ValueId v : node.inputs) {
      leaf(v);
      inputs.push_back(of.at(v));
    }
    std::vector<std::string> names;
    for (ValueId v : node.outputs) names.push_back(graph_.value(v).name);
    cone.append_node(node.name, node.op, inputs, names);
    for (size_t i = 0; i < node.outputs.size(); ++i) of[node.outputs[i]] = cone.nodes.back().outputs[i];
  }
  leaf(id);
  cone.outputs = {of.at(id)};
  const Graph closed = specialise(cone, {fixed_batch_ > 0 ? fixed_batch_ : 1, 224, 224}, cpu_backend());
  for (const auto& [from, to] : of)
    if (from != kNoValue && closed.value(to).constant) known_[from] = closed.value(to).constant;
  return closed.value(of.at(id)).constant;
}

/// The graph with every shape closed, for pictures of a size that fits it. An open size is not known before the
/// pictures are: a network that needs 299 pixels, or cannot take more than 32, is as good as one that takes 224.
Graph GraphReader::typed() {
  std::optional<Error> first;
  for (const int64_t side : kSides) {
    try {
      Graph closed = specialise(graph_, {fixed_batch_ > 0 ? fixed_batch_ : 1, side, side}, cpu_backend());
      side_ = side;
      return closed;
    } catch (const Error& error) {
      if (!first) first = error;
    }
    const auto open = [&](ValueId id) { return graph_.value(id).shape.is_open(); };
    if (std::none_of(graph_.inputs.begin(), graph_.inputs.end(), open)) break;  // the next would say the same
  }
  throw *first;
}

/// Types every value for one picture, which also proves that the graph can be run; then lets the batch open, where
/// the file fixed it.
void GraphReader::free_batch() {
  const Graph typed = this->typed();
  const auto producer = graph_.producers();
  for (size_t i = 0; i < graph_.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (producer[i] < 0) continue;
    graph_.value(id).dtype = typed.value(id).dtype;
    graph_.value(id).shape = typed.value(id).shape;
    int64_t count = 1;
    for (int64_t d : typed.value(id).shape)
      if (__builtin_mul_overflow(count, d, &count) || count > kLargestValueElements) {
        throw Error("value \"" + graph_.value(id).name + "\" would be " + typed.value(id).shape.str(),
                    "the file is damaged, or not an image network");
      }
  }
  if (fixed_batch_ <= 0) return;
  open_reshapes(typed);
  for (ValueId id : graph_.inputs)
    if (!graph_.value(id).shape.empty()) graph_.value(id).shape[0] = kOpenDim;
}

/// Reshapes whose constant target spells out the fixed batch get an open one instead.
void GraphReader::open_reshapes(const Graph& typed) {
  for (Node& node : graph_.nodes) {
    if (node.op->type() != "Reshape" || graph_.value(node.inputs[0]).constant) continue;
    const auto target = graph_.value(node.inputs[1]).constant;
    const Shape& result = typed.value(node.outputs[0]).shape;
    if (!target || result.empty() || result[0] != fixed_batch_ || typed.value(node.inputs[0]).shape.empty() ||
        typed.value(node.inputs[0]).shape[0] != fixed_batch_)
      continue;
    std::vector<int64_t> open = result;
    open[0] = -1;
    node.inputs[1] =
        graph_.add_constant(node.name + ":shape", Tensor::copy_of<int64_t>({static_cast<int64_t>(open.size())}, open));
  }
}

}  // namespace graft
