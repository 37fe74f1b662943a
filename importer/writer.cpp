#include "importer/writer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <ostream>
#include <set>
#include <sstream>

#include "importer/metadata.h"
#include "importer/node_tree.h"
#include "importer/op_table.h"
#include "importer/picture_form.h"
#include "importer/tensor_types.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/loop.h"
#include "runtime/passes/open_shapes.h"
#include "runtime/passes/resolve_control_flow.h"

namespace graft {
namespace {

constexpr int64_t kWrittenOpset = 17;
constexpr int64_t kWrittenIr = 8;
constexpr size_t kLargestInside = size_t{2000} << 20;  // messages end at 2 GiB
constexpr int64_t kSmallTable = 4096;  // constants up to this size keep their precision: nothing is saved on them

/// `shape`: with open extents; none where not even the rank is the same for all sizes.
void write_info(const Value& value, const std::optional<Shape>& shape, onnx::ValueInfoProto& info) {
  info.set_name(value.name);
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx_type(value.dtype));
  if (!shape) return;
  auto& dims = *tensor.mutable_shape();
  for (const int64_t extent : *shape) {
    auto& dim = *dims.add_dim();  // one that is neither a number nor a name may be anything
    if (extent != kOpenDim) dim.set_dim_value(extent);
  }
  if (!shape->empty() && (*shape)[0] == kOpenDim) dims.mutable_dim(0)->set_dim_param("N");
}

/// As write_info, with names for a picture's open sides. The batch is open unless it is fixed for good.
void write_input(const Value& value, bool fixed_batch, onnx::ValueInfoProto& info) {
  Shape shape = value.shape;
  if (!shape.empty() && !fixed_batch) shape[0] = kOpenDim;
  write_info(value, shape, info);
  auto& dims = *info.mutable_type()->mutable_tensor_type()->mutable_shape();
  const size_t rows = first_image_dimension(value);
  for (size_t i = rows; i < std::min(rows + 2, shape.size()); ++i)
    if (shape[i] == kOpenDim) dims.mutable_dim(static_cast<int>(i))->set_dim_param(i == rows ? "height" : "width");
}

/// Empty where the graph does not take a picture of its usual size (networks on no pictures).
std::optional<OpenShapes> open_shapes(const OnnxModel& model) {
  try {
    return OpenShapes(model.graph, model.usual_size.height, model.usual_size.width, cpu_backend());
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The weights of one model: inside its message, or in a file beside it.
class WeightWriter {
 public:
  WeightWriter(onnx::GraphProto& out, std::string data_file) : out_(out), data_file_(std::move(data_file)) {}

  void write(std::shared_ptr<const Tensor> tensor, const std::string& name) {
    auto& proto = *out_.add_initializer();
    if (data_file_.empty() || tensor->bytes() <= kSmallestExternal) return write_tensor(*tensor, name, proto);
    write_tensor(Tensor(tensor->dtype(), {0}), name, proto);
    proto.clear_raw_data();
    proto.clear_dims();
    for (int64_t d : tensor->shape()) proto.add_dims(d);
    proto.set_data_location(onnx::TensorProto::EXTERNAL);
    const auto say = [&](const char* key, const std::string& value) {
      auto& entry = *proto.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    };
    at_ = (at_ + kExternalAlignment - 1) / kExternalAlignment * kExternalAlignment;
    say("location", data_file_);
    say("offset", std::to_string(at_));
    say("length", std::to_string(tensor->bytes()));
    parts_.emplace_back(at_, tensor);
    at_ += tensor->bytes();
  }

  bool has_parts() const { return !parts_.empty(); }
  void write_parts(std::ostream& stream) const {
    size_t at = 0;
    for (const auto& [offset, tensor] : parts_) {
      for (; at < offset; ++at) stream.put('\0');
      stream.write(static_cast<const char*>(tensor->raw()), static_cast<std::streamsize>(tensor->bytes()));
      at += tensor->bytes();
    }
  }

 private:
  static constexpr size_t kSmallestExternal = 1024, kExternalAlignment = 4096;  // pages, so that readers may map them
  onnx::GraphProto& out_;
  std::string data_file_;
  size_t at_ = 0;
  std::vector<std::pair<size_t, std::shared_ptr<const Tensor>>> parts_;
};

/// Writes a weight as float16 under another name; returns the Cast that gives it back.
onnx::NodeProto write_half(const Tensor& tensor, const std::string& name, WeightWriter& weights) {
  for (float v : tensor.data<float>())
    if (std::fabs(v) > 65504.0f)
      throw Error("weight \"" + name + "\" holds " + std::to_string(v) + ", too large for float16",
                  "write float32 weights");
  weights.write(std::make_shared<Tensor>(cast(tensor, DType::f16)), name + ":half");
  onnx::NodeProto node;
  node.set_op_type("Cast");
  node.set_name(name + ":cast");
  node.add_input(name + ":half");
  node.add_output(name);
  auto& to = *node.add_attribute();
  to.set_name("to");
  to.set_type(onnx::AttributeProto::INT);
  to.set_i(onnx::TensorProto::FLOAT);
  return node;
}

bool is_missing(const Node& node) { return node.op->is_composite() && !op_table().writer(*node.op); }

/// Whether some composite that the written opset lacks stands for other nodes at other sizes of the picture.
bool fixes_picture(const Graph& graph, const std::optional<OpenShapes>& shapes) {
  const auto follows = [&](ValueId id) { return id != kNoValue && (!shapes || shapes->follows_picture(id)); };
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return is_missing(node) && std::any_of(node.inputs.begin(), node.inputs.end(), follows);
  });
}

/// The graph with what composites stand for where the written opset has no such operator, which may fix the picture's
/// size.
Graph spelled_out(const OnnxModel& model, const std::optional<OpenShapes>& shapes) {
  const Graph& graph = model.graph;
  Graph result = graph;
  if (std::none_of(graph.nodes.begin(), graph.nodes.end(), is_missing)) return result;
  const bool fixed = fixes_picture(graph, shapes);
  // Composites look at shapes, of which they spell out all but the batch.
  for (size_t i = 0; shapes && i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (!graph.value(id).constant) result.value(id).shape = shapes->typed().value(id).shape;
  }
  for (ValueId id : graph.inputs)
    std::replace(result.value(id).shape.begin(), result.value(id).shape.end(), kOpenDim, int64_t{1});
  result.nodes.clear();
  for (const Node& node : graph.nodes) {
    if (!is_missing(node)) {
      result.nodes.push_back(node);
      continue;
    }
    with_place([&] { return describe(node); },
               [&] {
                 for (Node& part : expand(result, node)) result.nodes.push_back(std::move(part));
               });
  }
  for (ValueId id : graph.inputs) {
    Shape shape = graph.value(id).shape;
    const size_t rows = first_image_dimension(graph.value(id));
    for (size_t i = rows; fixed && i < std::min(rows + 2, shape.size()); ++i)
      if (shape[i] == kOpenDim) shape[i] = i == rows ? model.usual_size.height : model.usual_size.width;
    result.value(id).shape = shape;
  }
  return result;
}

/// What a loop or several calls of a function made may have one name.
void name_nodes_apart(Graph& graph) {
  std::set<std::string> taken;
  for (Node& node : graph.nodes) {
    const std::string wanted = node.name;
    for (int i = 2; !taken.insert(node.name).second; ++i) node.name = wanted + "_" + std::to_string(i);
  }
}

void fill(onnx::ModelProto& proto, const OnnxModel& given, const WriteOptions& options, WeightWriter& weights) {
  OnnxModel model = without_loops(given);
  model.graph = with_own_input(model.graph);
  proto.set_ir_version(kWrittenIr);
  proto.set_producer_name("graft");
  proto.add_opset_import()->set_version(kWrittenOpset);
  for (const auto& [key, value] : properties_from_metadata(model.metadata)) {
    auto& entry = *proto.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  const std::optional<OpenShapes> shapes = open_shapes(model);
  Graph graph = spelled_out(model, shapes);
  name_nodes_apart(graph);
  auto& out = *proto.mutable_graph();
  out.set_name("graft");
  const bool fixed_batch = model.declared_batch > 0 && !model.batch_opened;
  for (ValueId id : graph.inputs) write_input(graph.value(id), fixed_batch, *out.add_input());
  for (ValueId id : graph.outputs) {
    const Value& value = graph.value(id);
    write_info(value, shapes ? shapes->of(id) : std::nullopt, *out.add_output());
  }
  write_nodes(graph, out);
  // Only what the written nodes read: mappings may have replaced inputs by attributes.
  std::map<std::string, ValueId> constants;
  for (size_t i = 0; i < graph.value_count(); ++i)
    if (graph.value(static_cast<ValueId>(i)).constant)
      constants[graph.value(static_cast<ValueId>(i)).name] = static_cast<ValueId>(i);
  std::map<std::string, bool> written;
  std::vector<onnx::NodeProto> casts;
  for_each_read_name(out, [&](const std::string& name) {
    const auto it = constants.find(name);
    if (it == constants.end() || written[name]) return;
    written[name] = true;
    const Value& value = graph.value(it->second);
    if (options.half_weights && value.dtype == DType::f32 && value.shape.rank() > 1 &&
        value.shape.elements() > kSmallTable)
      casts.push_back(write_half(*value.constant, name, weights));
    else
      weights.write(value.constant, name);
  });
  if (casts.empty()) return;
  google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes(casts.begin(),
                                                            casts.end());  // nodes stand in topological order
  nodes.MergeFrom(out.node());
  out.mutable_node()->Swap(&nodes);
}

size_t constant_bytes(const Graph& graph) {
  size_t bytes = 0;
  for (size_t i = 0; i < graph.value_count(); ++i)
    if (const auto& constant = graph.value(static_cast<ValueId>(i)).constant) bytes += constant->bytes();
  return bytes;
}

template <typename Values>
std::string list_text(const Values& values) {
  std::ostringstream text;
  for (const auto& v : values) text << (text.tellp() > 0 ? ", " : "") << v;
  return "[" + text.str() + "]";
}

/// "kernel_shape = [3, 3]".
std::string attribute_text(const onnx::AttributeProto& attribute) {
  std::ostringstream text;
  text << attribute.name() << " = ";
  switch (attribute.type()) {
    case onnx::AttributeProto::INT:
      text << attribute.i();
      break;
    case onnx::AttributeProto::FLOAT:
      text << attribute.f();
      break;
    case onnx::AttributeProto::STRING:
      text << '"' << attribute.s() << '"';
      break;
    case onnx::AttributeProto::INTS:
      text << list_text(attribute.ints());
      break;
    case onnx::AttributeProto::FLOATS:
      text << list_text(attribute.floats());
      break;
    case onnx::AttributeProto::STRINGS:
      text << list_text(attribute.strings());
      break;
    case onnx::AttributeProto::TENSOR: {
      const Tensor value = cast(read_tensor(attribute.t(), {}), DType::f64);
      text << value.shape().str() << " of " << list_text(value.data<double>());
      break;
    }
    default:
      throw Error("attribute \"" + attribute.name() + "\" has no text");
  }
  return text.str();
}

}  // namespace

OnnxModel without_loops(const OnnxModel& model) {
  if (!has_loops(model.graph)) return model;
  const auto resolved_for = [&](int64_t batch) {
    return resolve_control_flow(model.graph, {batch, model.usual_size.height, model.usual_size.width}, cpu_backend());
  };
  const auto outline = [](const Graph& graph) {
    std::vector<std::string> types;
    for (const Node& node : graph.nodes) types.emplace_back(node.op->type());
    return types;
  };
  OnnxModel written = model;
  written.graph = resolved_for(1);
  if (model.declared_batch == 0 && outline(written.graph) != outline(resolved_for(2)))
    throw Error("holds a loop, and takes other steps for other batches, which graft does not write", {},
                ErrorCode::unsupported);
  for (ValueId id : written.graph.inputs) {
    Value& input = written.graph.value(id);
    const size_t rows = first_image_dimension(input);
    for (size_t i = rows; i < std::min(rows + 2, input.shape.size()); ++i)
      if (input.shape[i] == kOpenDim) input.shape[i] = i == rows ? model.usual_size.height : model.usual_size.width;
  }
  return written;
}

std::optional<PictureSize> size_fixed_by_writing(const OnnxModel& model) {
  const bool is_open = std::any_of(model.graph.inputs.begin(), model.graph.inputs.end(), [&](ValueId id) {
    const Shape& shape = model.graph.value(id).shape;
    return std::find(shape.begin() + (shape.empty() ? 0 : 1), shape.end(), kOpenDim) != shape.end();
  });
  if (is_open && has_loops(model.graph)) return model.usual_size;
  if (!is_open || std::none_of(model.graph.nodes.begin(), model.graph.nodes.end(), is_missing)) return std::nullopt;
  if (!fixes_picture(model.graph, open_shapes(model))) return std::nullopt;
  return model.usual_size;
}

uintmax_t write_model(const OnnxModel& model, const std::string& path, const WriteOptions& options) {
  const std::string data = path + ".data";
  const bool external = options.external_weights || constant_bytes(model.graph) > kLargestInside;
  onnx::ModelProto proto;
  WeightWriter weights(*proto.mutable_graph(), external ? std::filesystem::path(data).filename().string() : "");
  with_place([&] { return path; }, [&] { fill(proto, model, options, weights); });
  // The weights first: a model whose weights are missing would be half a model.
  if (weights.has_parts()) write_atomically(data, [&](std::ostream& stream) { weights.write_parts(stream); });
  write_atomically(path, [&](std::ostream& stream) { proto.SerializeToOstream(&stream); });
  return std::filesystem::file_size(path) + (weights.has_parts() ? std::filesystem::file_size(data) : 0);
}

std::string attributes_text(const Graph& graph, const Node& node) {
  const auto* write = op_table().writer(*node.op);
  if (!write) return "";
  onnx::GraphProto proto;
  try {
    NodeWriter writer(graph, node, proto);
    (*write)(*node.op, writer);
  } catch (const Error&) {
    return "";
  }
  std::string text;
  for (const auto& attribute : proto.node(proto.node_size() - 1).attribute())
    text += (text.empty() ? "" : ", ") + attribute_text(attribute);
  return text;
}

}  // namespace graft
