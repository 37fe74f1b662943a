#include "importer/reader.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <climits>
#include <filesystem>

#include "importer/batch_statistics.h"
#include "importer/embed_preprocessing.h"
#include "importer/graph_reader.h"
#include "importer/label_tail.h"
#include "importer/metadata.h"
#include "importer/op_table.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr int64_t kOldestOpset = 7;
constexpr int64_t kNewestOpset = 27;  // ONNX 1.22

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
  const int64_t version = own_opset(proto);
  if (version == 0) throw Error("names no opset of ONNX's own operators", "the file is damaged");
  if (version < kOldestOpset || version > kNewestOpset) {
    throw Error("uses opset " + std::to_string(version) + "; graft reads " + std::to_string(kOldestOpset) + " to " +
                    std::to_string(kNewestOpset),
                version < kOldestOpset ? "convert it with onnx.version_converter" : "export it at an older opset",
                ErrorCode::unsupported);
  }
  return version;
}

using UnknownOperators = std::map<std::string, std::vector<std::string>>;

/// Adds the operators of nodes, of their branches and of the functions that they call.
void collect_unknown(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes, const LocalFunctions& functions,
                     std::set<const onnx::FunctionProto*>& visited, UnknownOperators& unknown) {
  for (const auto& node : nodes) {
    if (const auto* function = functions.find(node)) {
      if (visited.insert(function).second) collect_unknown(function->node(), functions, visited, unknown);
      continue;
    }
    for (const auto& attribute : node.attribute())
      if (attribute.has_g()) collect_unknown(attribute.g().node(), functions, visited, unknown);
    const bool own = is_own_operator(node);
    if ((own && (node.op_type() == "If" || node.op_type() == "Loop")) || op_table().reader(operator_name(node)))
      continue;
    unknown[operator_name(node)].push_back(node.name().empty() && node.output_size() > 0 ? node.output(0)
                                                                                         : node.name());
  }
}

/// One Error for all that graft does not know, so that the user need not find them one run at a time.
void require_known_operators(const onnx::GraphProto& graph, const LocalFunctions& functions) {
  UnknownOperators unknown;
  std::set<const onnx::FunctionProto*> visited;
  collect_unknown(graph.node(), functions, visited, unknown);
  if (unknown.empty()) return;
  std::string list;
  for (const auto& [type, nodes] : unknown) {
    list += (list.empty() ? "" : "; ") + type + " (";
    for (size_t i = 0; i < nodes.size() && i < 5; ++i) list += (i > 0 ? ", " : "") + nodes[i];
    list += nodes.size() > 5 ? ", and " + std::to_string(nodes.size() - 5) + " more)" : ")";
  }
  throw Error("uses operators that graft does not know: " + list, "see docs/operators.md for those it does",
              ErrorCode::unsupported);
}

}  // namespace

OnnxModel read_model(const std::string& path, const GivenExtents& given) {
  return with_place([&] { return path; },
                    [&] {
                      return with_code(ErrorCode::corrupt_file, [&] {
                        Weights weights(std::filesystem::path(path).parent_path().string());
                        onnx::ModelProto proto = parse(path, weights);
                        OnnxModel model;
                        model.path = path;
                        model.ir_version = proto.ir_version();
                        if (proto.ir_version() > onnx::Version::IR_VERSION) {
                          throw Error("has IR version " + std::to_string(proto.ir_version()) + "; graft reads up to " +
                                          std::to_string(onnx::Version::IR_VERSION),
                                      "export it with an older ONNX", ErrorCode::unsupported);
                        }
                        model.opset = opset_of(proto);
                        std::vector<std::string> labels = take_label_tail(*proto.mutable_graph());
                        const LocalFunctions functions(proto);
                        require_known_operators(proto.graph(), functions);
                        std::map<std::string, std::string> properties;
                        for (const auto& entry : proto.metadata_props()) properties[entry.key()] = entry.value();
                        model.metadata = metadata_from_properties(properties);
                        std::optional<PictureSize> hint;
                        if (const auto& said = model.metadata.preprocessing)
                          hint = PictureSize{said->crop_height, said->crop_width};
                        GraphReader reader(proto, functions, weights, hint, given);
                        model.graph = reader.read();
                        model.usual_size = reader.usual_size();
                        model.declared_batch = reader.declared_batch();
                        model.batch_opened = reader.batch_opened();
                        if (model.metadata.labels.empty()) model.metadata.labels = std::move(labels);
                        take_own_statistics(model.graph);
                        return model;
                      });
                    });
}

OnnxModel::Picture OnnxModel::picture() const {
  if (graph.inputs.empty()) throw Error("the model has no input");
  const Value& input = graph.value(graph.inputs[0]);
  if (metadata.other.contains(kEmbeddedPreprocessing)) {
    throw Error("takes whole pictures: its preprocessing is inside the graph",
                "use the model it was exported from; graft infer runs this one on arrays", ErrorCode::unsupported);
  }
  for (size_t i = 1; i < graph.inputs.size(); ++i)
    for (const Node& node : graph.nodes)
      if (std::find(node.inputs.begin(), node.inputs.end(), graph.inputs[i]) != node.inputs.end()) {
        const Value& second = graph.value(graph.inputs[i]);
        throw Error(
            "input \"" + second.name + "\" (" + second.shape.str() + ") is a second one, which no picture fills",
            "graft infer runs such a model on arrays", ErrorCode::unsupported);
      }
  if (input.shape.rank() != 4)
    throw Error("input \"" + input.name + "\" is " + input.shape.str() + ", not N×C×H×W",
                "graft works on picture networks", ErrorCode::unsupported);
  const auto known = [&](size_t i) { return input.shape[i] == kOpenDim ? int64_t{0} : input.shape[i]; };
  return {known(1), known(2), known(3)};
}

}  // namespace graft
