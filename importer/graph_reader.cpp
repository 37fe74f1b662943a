#include "importer/graph_reader.h"

#include <algorithm>
#include <cstring>
#include <deque>

#include "importer/loop.h"
#include "importer/op_table.h"
#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/ops/conditional.h"
#include "runtime/ops/reshape.h"

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
    if (extent < kOpenDim || extent > kLargestInputExtent) {  // some exporters write -1 for an open extent
      throw Error(
          "declares the extent " + std::to_string(extent) + ", outside 0…" + std::to_string(kLargestInputExtent),
          "the file is damaged");
    }
    shape.push_back(extent);
  }
  if (shape.size() == 4) std::replace(shape.begin(), shape.end(), int64_t{0}, kOpenDim);  // others write 0
  return shape;
}

/// Sizes of pictures, those that networks are made for first. Where none of the first ones fits, an exporter has let a
/// size open that the network does not: it may be any.
std::vector<PictureSize> candidate_sizes(PictureSize hint) {
  std::vector<PictureSize> sizes{hint};
  for (int64_t side : {224, 299, 256, 384, 320, 448, 512, 640, 1024, 192, 160, 128, 96, 64, 48, 32, 28, 16, 8})
    sizes.push_back({side, side});
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{256, 128},
                                      {384, 128},
                                      {128, 64},
                                      {240, 320},
                                      {480, 640},
                                      {360, 640},
                                      {720, 1280},
                                      {32, 100},
                                      {32, 128},
                                      {48, 320},
                                      {64, 256}})
    sizes.insert(sizes.end(), {{height, width}, {width, height}});
  for (int64_t side = 1; side <= 1024; ++side) sizes.push_back({side, side});
  return sizes;
}
constexpr size_t kMostNodesTyped = 400000;  // while sizes are tried
constexpr size_t kMostNodesTypedInAll = 3 * kMostNodesTyped;
constexpr int64_t kMostNodesMade = 2 * LocalFunctions::kMostNodes;

/// Sizes at which what must be the same for all of them is computed: neighbours of the one that was found, the
/// smallest, and powers of two, which what divides an extent tells apart.
std::vector<PictureSize> other_sizes(PictureSize size) {
  std::vector<int64_t> extents{size.height - 1, size.height + 1, size.height + 32, 2 * size.height, 3 * size.height};
  for (int64_t small = 1; small <= 8; ++small) extents.push_back(small);
  for (int64_t power = 16; power <= kLargestInputExtent; power *= 2) extents.insert(extents.end(), {power, power + 1});
  std::vector<PictureSize> sizes;
  for (const int64_t extent : extents) {
    if (extent < 1 || extent > kLargestInputExtent) continue;
    sizes.insert(sizes.end(), {{extent, size.width}, {size.height, extent}, {extent, extent}});
  }
  return sizes;
}

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
        for (const auto& given : attribute.g().input()) inner.read_names.erase(given.name());
        for (const auto& constant : attribute.g().initializer()) inner.read_names.erase(constant.name());
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

namespace {
std::string place_of_node(const onnx::NodeProto& node) {
  const std::string& name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
  return "node \"" + name + "\" (" + node.op_type() + ")";
}
}  // namespace

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
    const SubgraphReader body{graph_, [&](ValueId id) { return known_for_all_sizes(id); },
                              [&](const onnx::GraphProto& graph, NameScope& inner) { read_initialisers(graph, inner); },
                              [&](const Nodes& nodes, NameScope& inner) {
                                add_read_names(nodes, inner);
                                read_nodes(nodes, inner);
                              }};
    return with_place([&] { return place_of_node(node); }, [&] { unroll_loop(node, scope, body); });
  }
  NodeReader reader(node, weights_, graph_, scope);
  with_place([&] { return "node \"" + reader.name() + "\" (" + node.op_type() + ")"; },
             [&] {
               const size_t before = graph_.value_count();
               const auto read = is_own_operator(node) ? op_table().reader(node.op_type()) : nullptr;
               if (!read) throw Error("is an operator that graft does not know", {}, ErrorCode::unsupported);
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
                 if (made == kNoValue)
                   throw Error("output \"" + function.output(i) + "\" is made by no node", "the file is damaged");
                 scope.define(call.output(i), made);
               }
             });
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
    if (results.back() == kNoValue)
      throw Error("branch output \"" + output.name() + "\" is made by no node", "the file is damaged");
  }
  return results;
}

/// Takes the branch that a constant condition chooses into the graph, or both where extents choose that are still open.
void GraphReader::read_if(const onnx::NodeProto& node, NameScope& scope) {
  if (node.output_size() == 0) throw Error("has no outputs", "the file is damaged");
  const ValueId condition = node.input_size() == 1 ? scope.find(node.input(0)) : kNoValue;
  if (condition == kNoValue) throw Error("has no condition", "the file is damaged");
  const auto choice = known(condition);
  if (!choice || choice->elements() != 1)
    throw Error("the condition depends on the data, which graft does not run", {}, ErrorCode::unsupported);
  const bool holds = cast(*choice, DType::i64).data<int64_t>()[0] != 0;
  std::vector<ValueId> results = read_branch(node, holds, scope);
  if (follows_input(condition)) {
    std::vector<ValueId> inputs{condition}, other = read_branch(node, !holds, scope);
    for (const auto& branch : {holds ? results : other, holds ? other : results})
      inputs.insert(inputs.end(), branch.begin(), branch.end());
    graph_.append_node(node.name().empty() ? node.output(0) : node.name(), std::make_shared<If>(), inputs,
                       {node.output().begin(), node.output().end()});
    results = graph_.nodes.back().outputs;
  }
  for (int i = 0; i < node.output_size(); ++i) scope.define(node.output(i), results[static_cast<size_t>(i)]);
}

void GraphReader::count_producers() {
  producer_.resize(graph_.value_count(), -1);
  follows_input_.resize(graph_.value_count(), false);
  for (ValueId id : graph_.inputs) follows_input_[static_cast<size_t>(id)] = true;
  for (; producers_counted_ < graph_.nodes.size(); ++producers_counted_) {
    const Node& node = graph_.nodes[producers_counted_];
    const bool follows = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id != kNoValue && follows_input_[static_cast<size_t>(id)];
    });
    for (ValueId made : node.outputs) {
      producer_[static_cast<size_t>(made)] = static_cast<int>(producers_counted_);
      follows_input_[static_cast<size_t>(made)] = follows;
    }
  }
}

bool GraphReader::follows_input(ValueId id) {
  count_producers();
  return follows_input_[static_cast<size_t>(id)];
}

GraphReader::Cone GraphReader::cone_of(ValueId id, bool use_known) {
  count_producers();
  const auto is_known = [&](ValueId v) { return use_known && known_.contains(v); };
  // The nodes that the value follows from, down to what is known already.
  std::set<int> nodes;
  std::vector<ValueId> open{id};
  while (!open.empty()) {
    const ValueId v = open.back();
    open.pop_back();
    const int n = v == kNoValue || is_known(v) ? -1 : producer_[static_cast<size_t>(v)];
    if (n < 0 || !nodes.insert(n).second) continue;
    for (ValueId input : graph_.nodes[static_cast<size_t>(n)].inputs) open.push_back(input);
  }
  Cone cone;
  Graph& graph = cone.graph;
  auto& of = cone.ids;
  of[kNoValue] = kNoValue;
  const auto leaf = [&](ValueId v) {
    if (of.contains(v)) return;
    const Value& value = graph_.value(v);
    if (is_known(v))
      of[v] = graph.add_constant(value.name, known_.at(v)->clone());
    else
      of[v] = value.constant ? graph.add_constant(value.name, value.constant)
                             : graph.add_input(value.name, value.dtype, value.shape);
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
    graph.append_node(node.name, node.op, inputs, names);
    for (size_t i = 0; i < node.outputs.size(); ++i) of[node.outputs[i]] = graph.nodes.back().outputs[i];
  }
  leaf(id);
  graph.outputs = {of.at(id)};
  return cone;
}

std::shared_ptr<const Tensor> GraphReader::known(ValueId id) {
  if (graph_.value(id).constant) return graph_.value(id).constant;
  if (const auto it = known_.find(id); it != known_.end()) return it->second;
  const Cone cone = cone_of(id, true);
  const Graph closed = closed_for_a_picture(cone.graph);
  for (const auto& [from, to] : cone.ids)
    if (from != kNoValue && closed.value(to).constant) known_[from] = closed.value(to).constant;
  return closed.value(cone.ids.at(id)).constant;
}

std::shared_ptr<const Tensor> GraphReader::known_for_all_sizes(ValueId id) {
  const auto content = known(id);
  if (!content || !follows_input(id)) return content;
  Cone cone = cone_of(id, false);
  for (ValueId input : cone.graph.inputs)
    if (Shape& shape = cone.graph.value(input).shape; !shape.empty()) shape[0] = kOpenDim;
  const auto differs_at = [&](const OpenDims& dims) {
    count_typed(cone.graph.nodes.size());
    try {
      const Graph closed = specialise(cone.graph, dims, cpu_backend());
      const auto other = closed.value(cone.ids.at(id)).constant;
      return !other || other->dtype() != content->dtype() || other->shape() != content->shape() ||
             std::memcmp(other->raw(), content->raw(), content->bytes()) != 0;
    } catch (const Error&) {
      return false;  // the network does not take this size
    }
  };
  const int64_t batch = std::max<int64_t>(fixed_batch_, 1);
  std::vector<OpenDims> others;
  for (const int64_t other : {1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 1024})
    others.push_back({other, size_.height, size_.width});
  for (const PictureSize& size : other_sizes(size_)) others.push_back({batch, size.height, size.width});
  if (std::any_of(others.begin(), others.end(), differs_at))
    throw Error("depends on the size of the picture or of the batch, which graft does not run",
                "export the network with a fixed size", ErrorCode::unsupported);
  return content;
}

void GraphReader::count_typed(size_t nodes) {
  if ((nodes_typed_ += nodes) > kMostNodesTypedInAll)
    throw Error("computes the conditions of its branches and loops in more than " +
                    std::to_string(kMostNodesTypedInAll) + " steps",
                "the file is damaged or made to exhaust time");
}

Graph GraphReader::closed_for_a_picture(const Graph& graph) {
  count_typed(graph.nodes.size());
  const int64_t batch = fixed_batch_ > 0 ? fixed_batch_ : 1;
  const bool is_open = std::any_of(graph.inputs.begin(), graph.inputs.end(),
                                   [&](ValueId id) { return graph.value(id).shape.is_open(); });
  if (!is_open) return specialise(graph, {batch, size_.height, size_.width}, cpu_backend());
  std::optional<Error> first;
  size_t typed = 0;
  for (const PictureSize size : candidate_sizes(size_)) {
    try {
      Graph closed = specialise(graph, {batch, size.height, size.width}, cpu_backend());
      size_ = size;
      return closed;
    } catch (const Error& error) {
      if (!first) first = error;
    }
    count_typed(graph.nodes.size());
    if ((typed += graph.nodes.size()) > kMostNodesTyped) break;
  }
  throw *first;
}

/// Numbers of channels are never open in truth: weights say how many there are.
void GraphReader::choose_channels() {
  for (ValueId id : graph_.inputs) {
    Shape& shape = graph_.value(id).shape;
    if (shape.size() != 4 || shape[1] != kOpenDim || shape[3] != kOpenDim) continue;
    for (const int64_t channels : {3, 1, 4, 2}) {
      shape[1] = channels;
      try {
        closed_for_a_picture(graph_);
        break;
      } catch (const Error&) {
        shape[1] = kOpenDim;
      }
    }
  }
}

/// Types every value for one picture, which also proves that the graph can be run; then lets the batch open, where
/// the file fixed it.
void GraphReader::free_batch() {
  choose_channels();
  const Graph typed = closed_for_a_picture(graph_);
  for (size_t i = 0; i < typed.value_count(); ++i) {  // those of composites, which stand for several nodes, too
    const Value& value = typed.value(static_cast<ValueId>(i));
    if (value.constant) continue;
    int64_t count = 1;
    for (int64_t d : value.shape)
      if (__builtin_mul_overflow(count, d, &count) || count > kLargestValueElements) {
        throw Error("value \"" + value.name + "\" would be " + value.shape.str(),
                    "the file is damaged, or not an image network");
      }
  }
  take_types(typed);
  type_other_branches();
  if (fixed_batch_ <= 0) return;
  open_reshapes(typed);
  for (ValueId id : graph_.inputs)
    if (!graph_.value(id).shape.empty()) graph_.value(id).shape[0] = kOpenDim;
}

void GraphReader::take_types(const Graph& typed) {
  const auto producer = graph_.producers();
  for (size_t i = 0; i < graph_.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    Value& value = graph_.value(id);
    if (producer[i] < 0 || value.dtype != DType::f32 || !value.shape.empty()) continue;
    value.dtype = typed.value(id).dtype;
    value.shape = typed.value(id).shape;
  }
}

/// What only an untaken branch holds may fit no picture of the usual size; at another one it has a type.
void GraphReader::type_other_branches() {
  if (std::none_of(graph_.nodes.begin(), graph_.nodes.end(), [](const Node& n) { return n.op->chooses_inputs(); }))
    return;
  const int64_t batch = std::max<int64_t>(fixed_batch_, 1);
  for (const OpenDims& dims :
       {OpenDims{batch + 1, size_.height, size_.width}, OpenDims{batch, 2 * size_.height, 2 * size_.width},
        OpenDims{batch, size_.height / 2, size_.width / 2}}) {
    try {
      take_types(specialise(graph_, dims, cpu_backend()));
    } catch (const Error&) {
      continue;  // the network does not take this size
    }
  }
}

/// Reshapes whose constant target spells out the fixed batch take it from their input instead.
void GraphReader::open_reshapes(const Graph& typed) {
  for (Node& node : graph_.nodes) {
    const auto* reshape = dynamic_cast<const Reshape*>(node.op.get());
    if (!reshape || graph_.value(node.inputs[0]).constant) continue;
    const auto target = graph_.value(node.inputs[1]).constant;
    const Shape& result = typed.value(node.outputs[0]).shape;
    if (!target || result.empty() || result[0] != fixed_batch_ || typed.value(node.inputs[0]).shape.empty() ||
        typed.value(node.inputs[0]).shape[0] != fixed_batch_)
      continue;
    std::vector<int64_t> open = to_int64s(*target);
    if (open.empty() || open[0] != fixed_batch_) continue;
    const bool another_is_left_out = std::count(open.begin(), open.end(), -1) > 0;
    if (another_is_left_out && reshape->allow_zero) continue;
    open[0] = another_is_left_out ? 0 : -1;
    node.inputs[1] =
        graph_.add_constant(node.name + ":shape", Tensor::copy_of<int64_t>({static_cast<int64_t>(open.size())}, open));
  }
}

}  // namespace graft
