#include "importer/reader.h"

#include <onnx/inliner/inliner.h>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <climits>
#include <filesystem>

#include "importer/embed_preprocessing.h"
#include "importer/metadata.h"
#include "importer/op_table.h"
#include "runtime/core/backend.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

constexpr int64_t kOldestOpset = 7;
constexpr int64_t kNewestOpset = 25;  // ONNX 1.20
constexpr int64_t kLargestInputExtent = 1 << 14;
// One value of a picture's pass: 1 GiB of float32. Published networks stay a hundred times below.
constexpr int64_t kLargestValueElements = int64_t{1} << 28;

onnx::ModelProto parse(const std::string& path, Weights& weights) {
  const auto file = std::make_shared<const MappedFile>(path);
  if (file->size() == 0) throw Error("is empty", "give an ONNX file");
  if (file->size() > INT_MAX)
    throw Error("is larger than 2 GiB, which Protocol Buffers cannot hold", "store its weights as external data");
  const auto message = weights.take_from(file);
  onnx::ModelProto proto;
  bool whole = message.has_value();
  if (whole) {
    google::protobuf::io::ArrayInputStream array(message->data(), static_cast<int>(message->size()));
    google::protobuf::io::CodedInputStream stream(&array);
    stream.SetTotalBytesLimit(INT_MAX);
    stream.SetRecursionLimit(64);
    whole = proto.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage();
  }
  if (!whole) throw Error("is not an ONNX model, or is truncated", "export or download it again");
  if (!proto.has_graph()) throw Error("is not an ONNX model: it holds no graph", "export or download it again");
  return proto;
}

int64_t opset_of(const onnx::ModelProto& proto) {
  int64_t version = 0;
  for (const auto& opset : proto.opset_import())
    if (opset.domain().empty() || opset.domain() == "ai.onnx") version = opset.version();
  if (version == 0) throw Error("names no opset of ONNX's own operators", "the file is damaged");
  if (version < kOldestOpset || version > kNewestOpset) {
    throw Error("uses opset " + std::to_string(version) + "; graft reads " + std::to_string(kOldestOpset) + " to " +
                    std::to_string(kNewestOpset),
                version < kOldestOpset ? "convert it with onnx.version_converter" : "export it at an older opset");
  }
  return version;
}

using UnknownOperators = std::map<std::string, std::vector<std::string>>;

void collect_unknown(const onnx::GraphProto& graph, UnknownOperators& unknown) {
  for (const auto& node : graph.node()) {
    const bool own = node.domain().empty() || node.domain() == "ai.onnx";
    const std::string type = own ? node.op_type() : node.domain() + "." + node.op_type();
    if (own && type == "If") {
      for (const auto& attribute : node.attribute())
        if (attribute.has_g()) collect_unknown(attribute.g(), unknown);
      continue;
    }
    if (!own || !op_table().reader(node.op_type()))
      unknown[type].push_back(node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name());
  }
}

/// One Error for all that graft does not know, so that the user need not find them one run at a time.
void require_known_operators(const onnx::GraphProto& graph) {
  UnknownOperators unknown;
  collect_unknown(graph, unknown);
  if (unknown.empty()) return;
  std::string list;
  for (const auto& [type, nodes] : unknown) {
    list += (list.empty() ? "" : "; ") + type + " (";
    for (size_t i = 0; i < nodes.size() && i < 5; ++i) list += (i > 0 ? ", " : "") + nodes[i];
    list += nodes.size() > 5 ? ", and " + std::to_string(nodes.size() - 5) + " more)" : ")";
  }
  throw Error("uses operators that graft does not know: " + list, "see docs/operators.md for those it does");
}

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
    if (dim.has_dim_value() && (extent < 1 || extent > kLargestInputExtent)) {
      throw Error(
          "declares the extent " + std::to_string(extent) + ", outside 1…" + std::to_string(kLargestInputExtent),
          "the file is damaged");
    }
    shape.push_back(extent);
  }
  return shape;
}

class GraphReader {
 public:
  GraphReader(const onnx::GraphProto& proto, int64_t opset, const Weights& weights)
      : proto_(proto), opset_(opset), weights_(weights) {
    for (const auto& node : proto.node()) read_names_.insert(node.input().begin(), node.input().end());
    for (const auto& output : proto.output()) read_names_.insert(output.name());
  }

  Graph read() {
    read_initialisers(proto_);
    read_inputs();
    for (const auto& node : proto_.node()) read_node(node);
    if (proto_.output_size() == 0) throw Error("declares no output", "the file is damaged");
    for (const auto& output : proto_.output()) {
      const auto it = values_.find(output.name());
      if (it == values_.end())
        throw Error("output \"" + output.name() + "\" is made by no node", "the file is damaged");
      graph_.outputs.push_back(it->second);
    }
    free_batch();
    return std::move(graph_);
  }

 private:
  void read_inputs() {
    for (const auto& input : proto_.input()) {
      if (values_.contains(input.name())) continue;  // old files list initialisers among the inputs
      with_place([&] { return "input \"" + input.name() + "\""; },
                 [&] {
                   if (!input.type().has_tensor_type()) throw Error("is not a tensor");
                   Shape shape = input_shape(input);
                   if (shape.empty() && !input.type().tensor_type().has_shape()) throw Error("declares no shape");
                   if (!shape.empty() && shape[0] != kOpenDim) fixed_batch_ = shape[0];
                   values_[input.name()] =
                       graph_.add_input(input.name(), activation_dtype(input.type().tensor_type().elem_type()), shape);
                 });
    }
  }

  void read_initialisers(const onnx::GraphProto& graph) {
    for (const auto& tensor : graph.initializer()) {
      if (values_.contains(tensor.name()))
        throw Error("initialiser \"" + tensor.name() + "\" is there twice", "the file is damaged");
      values_[tensor.name()] = graph_.add_constant(tensor.name(), read_tensor(tensor, weights_));
    }
    if (graph.sparse_initializer_size() > 0) throw Error("has sparse initialisers, which graft does not read");
  }

  /// The content of a value that does not depend on the data, or null.
  std::shared_ptr<const Tensor> known(ValueId id) const {
    if (graph_.value(id).constant) return graph_.value(id).constant;
    Graph cone = graph_;
    cone.outputs = {id};
    remove_dead_code(cone);
    return specialise(cone, {fixed_batch_ > 0 ? fixed_batch_ : 1, 224, 224}, cpu_backend()).value(id).constant;
  }

  /// Takes the branch that a constant condition chooses into the graph.
  void read_if(const onnx::NodeProto& proto) {
    const auto condition = proto.input_size() == 1 ? values_.find(proto.input(0)) : values_.end();
    if (condition == values_.end()) throw Error("has no condition", "the file is damaged");
    const auto choice = known(condition->second);
    if (!choice || choice->elements() != 1) throw Error("the condition depends on the data, which graft does not run");
    const bool yes = cast(*choice, DType::i64).data<int64_t>()[0] != 0;
    const onnx::GraphProto* branch = nullptr;
    for (const auto& attribute : proto.attribute())
      if (attribute.name() == (yes ? "then_branch" : "else_branch") && attribute.has_g()) branch = &attribute.g();
    if (!branch || branch->output_size() != proto.output_size())
      throw Error("a branch is missing, or has other outputs", "the file is damaged");
    read_initialisers(*branch);
    for (const auto& node : branch->node()) read_node(node);
    for (int i = 0; i < proto.output_size(); ++i) {
      const auto made = values_.find(branch->output(i).name());
      if (made == values_.end())
        throw Error("branch output \"" + branch->output(i).name() + "\" is made by no node", "the file is damaged");
      values_[proto.output(i)] = made->second;
    }
  }

  void read_node(const onnx::NodeProto& proto) {
    if (proto.op_type() == "If") {
      return with_place([&] { return "node \"" + proto.name() + "\" (If)"; }, [&] { read_if(proto); });
    }
    NodeReader node(proto, opset_, weights_, read_names_, graph_, values_);
    with_place([&] { return "node \"" + node.name() + "\" (" + proto.op_type() + ")"; },
               [&] { op_table().reader(proto.op_type())(node); });
  }

  /// Types every value for one picture, which also proves that the graph can be run; then lets the batch open, where
  /// the file fixed it.
  void free_batch() {
    const OpenDims dims{fixed_batch_ > 0 ? fixed_batch_ : 1, 224, 224};
    const Graph typed = specialise(graph_, dims, cpu_backend());
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
  void open_reshapes(const Graph& typed) {
    for (Node& node : graph_.nodes) {
      if (node.op->type() != "Reshape" || graph_.value(node.inputs[0]).constant) continue;
      const auto target = graph_.value(node.inputs[1]).constant;
      const Shape& result = typed.value(node.outputs[0]).shape;
      if (!target || result.empty() || result[0] != fixed_batch_ || typed.value(node.inputs[0]).shape.empty() ||
          typed.value(node.inputs[0]).shape[0] != fixed_batch_)
        continue;
      std::vector<int64_t> open = result;
      open[0] = -1;
      node.inputs[1] = graph_.add_constant(node.name + ":shape",
                                           Tensor::copy_of<int64_t>({static_cast<int64_t>(open.size())}, open));
    }
  }

  const onnx::GraphProto& proto_;
  int64_t opset_;
  const Weights& weights_;
  std::set<std::string> read_names_;
  int64_t fixed_batch_ = 0;
  Graph graph_;
  std::map<std::string, ValueId> values_;
};

}  // namespace

Model read_model(const std::string& path) {
  return with_place([&] { return path; },
                    [&] {
                      Weights weights(std::filesystem::path(path).parent_path().string());
                      onnx::ModelProto proto = parse(path, weights);
                      Model model;
                      model.path = path;
                      model.ir_version = proto.ir_version();
                      if (proto.ir_version() > onnx::Version::IR_VERSION) {
                        throw Error("has IR version " + std::to_string(proto.ir_version()) + "; graft reads up to " +
                                        std::to_string(onnx::Version::IR_VERSION),
                                    "export it with an older ONNX");
                      }
                      model.opset = opset_of(proto);
                      if (proto.functions_size() > 0) onnx::inliner::InlineLocalFunctions(proto);
                      require_known_operators(proto.graph());
                      model.graph = GraphReader(proto.graph(), model.opset, weights).read();
                      std::map<std::string, std::string> properties;
                      for (const auto& entry : proto.metadata_props()) properties[entry.key()] = entry.value();
                      model.metadata = metadata_from_properties(properties);
                      return model;
                    });
}

Model::Picture Model::picture() const {
  if (graph.inputs.empty()) throw Error("the model has no input");
  const Value& input = graph.value(graph.inputs[0]);
  if (metadata.other.contains(kEmbeddedPreprocessing)) {
    throw Error("takes whole pictures: its preprocessing is inside the graph",
                "use the model it was exported from; graft infer runs this one on arrays");
  }
  if (input.shape.rank() != 4)
    throw Error("input \"" + input.name + "\" is " + input.shape.str() + ", not N×C×H×W",
                "graft works on picture networks");
  const auto known = [&](size_t i) { return input.shape[i] == kOpenDim ? int64_t{0} : input.shape[i]; };
  return {known(1), known(2), known(3)};
}

}  // namespace graft
