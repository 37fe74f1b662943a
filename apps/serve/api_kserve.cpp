// /v2: the Open Inference Protocol of KServe, with its binary extension
// [https://github.com/kserve/open-inference-protocol, 2022]: bare arrays, as the network itself takes them.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "apps/serve/json_body.h"
#include "apps/serve/service.h"
#include "graft/error.h"
#include "graft/version.h"
#include "importer/model.h"

namespace graft::app {
namespace {

using nlohmann::json;

/// The protocol's errors are text.
HttpReply protocol_error(int status, const std::string& text) { return json_reply({{"error", text}}, status); }

constexpr std::pair<DType, const char*> kTypes[] = {
    {DType::f32, "FP32"}, {DType::f16, "FP16"}, {DType::i64, "INT64"},   {DType::i32, "INT32"},
    {DType::i8, "INT8"},  {DType::u8, "UINT8"}, {DType::boolean, "BOOL"}};

std::string type_name(DType type) {
  for (const auto& [known, name] : kTypes)
    if (known == type) return name;
  throw Error(std::string("the protocol has no ") + name_of(type), {}, ErrorCode::unsupported);
}

/// With -1 for open extents; outputs have as many rows as the first input.
json values_json(const Graph& graph, const std::vector<ValueId>& values) {
  const auto batch = [&](ValueId id) {
    const Shape& shape = graph.value(id).shape;
    return shape.rank() == 0 ? int64_t{0} : shape[0];
  };
  const bool is_open = !graph.inputs.empty() && batch(graph.inputs[0]) == -1;
  json all = json::array();
  for (const ValueId id : values) {
    const Value& value = graph.value(id);
    auto shape = static_cast<const std::vector<int64_t>&>(value.shape);
    if (is_open && !shape.empty() && shape[0] == 1) shape[0] = -1;
    all.push_back({{"name", value.name}, {"datatype", type_name(value.dtype)}, {"shape", shape}});
  }
  return all;
}

/// Calls `body` with a zero of the type that JSON's numbers become; false for types that are exchanged as bytes alone.
template <typename Body>
bool with_json_type(DType type, const Body& body) {
  switch (type) {
    case DType::f32:
      body(float{});
      return true;
    case DType::i64:
      body(int64_t{});
      return true;
    case DType::i32:
      body(int32_t{});
      return true;
    case DType::u8:
      body(uint8_t{});
      return true;
    default:
      return false;
  }
}

/// The model that the address names; where there is none, that is answered.
std::shared_ptr<ServedModel> model_of(const Service& service, const RouteCall& call) {
  std::shared_ptr<ServedModel> model = service.model(call.words.at(0));
  if (!model) call.respond(protocol_error(404, "there is no model \"" + call.words[0] + "\""));
  return model;
}

/// Numbers of a list, or of lists in lists, row by row.
template <typename T>
void take_numbers(const json& data, T*& to, const T* end) {
  if (data.is_array()) {
    for (const json& one : data) take_numbers(one, to, end);
    return;
  }
  if (to == end || !(data.is_number() || data.is_boolean()))
    throw Error("\"data\" does not hold the numbers of \"shape\"");
  if (data.is_boolean()) {
    *to++ = static_cast<T>(data.get<bool>());
    return;
  }
  if constexpr (std::is_floating_point_v<T>) {
    *to++ = data.get<T>();
  } else {
    const bool fits = data.is_number_unsigned()  ? std::in_range<T>(data.get<uint64_t>())
                      : data.is_number_integer() ? std::in_range<T>(data.get<int64_t>())
                                                 : false;
    if (!fits) throw Error("\"data\" holds a number that the input's datatype does not have");
    *to++ = static_cast<T>(data.get<int64_t>());
  }
}

/// One of a request's inputs. `binary`: the bytes behind the JSON, of which its own are taken off the front.
Tensor read_input(const json& input, const Value& wanted, std::string_view& binary, size_t most_bytes) {
  Shape shape;
  size_t bytes = size_of(wanted.dtype);
  for (const json& extent : input.at("shape")) {
    const auto n = extent.get<int64_t>();
    if (n < 1 || static_cast<size_t>(n) > most_bytes || (bytes *= static_cast<size_t>(n)) > most_bytes)
      throw Error("\"shape\" has an extent that cannot be");
    shape.push_back(n);
  }
  if (input.at("datatype").get<std::string>() != type_name(wanted.dtype))
    throw Error("input \"" + wanted.name + "\" takes " + type_name(wanted.dtype));
  Tensor tensor(wanted.dtype, shape);
  const auto parameters = input.find("parameters");
  if (parameters != input.end() && parameters->contains("binary_data_size")) {
    const auto size = parameters->at("binary_data_size").get<size_t>();
    if (size != tensor.bytes() || size > binary.size()) throw Error("the binary data is not as long as \"shape\" says");
    std::memcpy(tensor.raw(), binary.data(), size);
    binary.remove_prefix(size);
    return tensor;
  }
  const auto fill = [&]<typename T>(T) {
    T* to = tensor.data<T>().data();
    const T* const end = to + tensor.elements();
    take_numbers(input.at("data"), to, end);
    if (to != end) throw Error("\"data\" does not hold the numbers of \"shape\"");
  };
  if (!with_json_type(wanted.dtype, fill))
    throw Error("input \"" + wanted.name + "\" is taken as binary data alone", {}, ErrorCode::unsupported);
  return tensor;
}

json numbers_of(const Tensor& tensor) {
  json data = json::array();
  const auto put = [&]<typename T>(T) {
    for (const T v : tensor.data<T>()) {
      if constexpr (std::is_floating_point_v<T>)
        if (!std::isfinite(v)) throw Error("an output holds what is no finite number: ask for binary data");
      data.push_back(v);
    }
  };
  if (!with_json_type(tensor.dtype(), put))
    throw Error("this output is given as binary data alone", {}, ErrorCode::unsupported);
  return data;
}

/// Which outputs are wanted, and which of them as bytes behind the JSON.
struct WantedOutput {
  size_t index;
  bool binary;
};

std::vector<WantedOutput> wanted_outputs(const json& body, const Graph& graph) {
  const auto parameters = body.find("parameters");
  const bool all_binary = parameters != body.end() && parameters->value("binary_data_output", false);
  std::vector<WantedOutput> wanted;
  const auto named = body.find("outputs");
  if (named == body.end() || named->is_null() || (named->is_array() && named->empty())) {
    for (size_t i = 0; i < graph.outputs.size(); ++i) wanted.push_back({i, all_binary});
    return wanted;
  }
  for (const json& output : body.at("outputs")) {
    const auto name = output.at("name").get<std::string>();
    size_t i = 0;
    while (i < graph.outputs.size() && graph.value(graph.outputs[i]).name != name) ++i;
    if (i == graph.outputs.size()) throw Error("the model has no output \"" + name + "\"");
    if (std::any_of(wanted.begin(), wanted.end(), [&](const WantedOutput& w) { return w.index == i; }))
      throw Error("output \"" + name + "\" is asked for twice");
    const auto own = output.find("parameters");
    wanted.push_back({i, own != output.end() ? own->value("binary_data", all_binary) : all_binary});
  }
  return wanted;
}

HttpReply outputs_reply(const std::string& model, const std::string& id, const Graph& graph,
                        const std::vector<WantedOutput>& wanted, const std::vector<Tensor>& outputs) {
  json list = json::array();
  std::string binary;
  for (const auto& [index, as_bytes] : wanted) {
    const Tensor& tensor = outputs.at(index);
    json one{{"name", graph.value(graph.outputs[index]).name},
             {"datatype", type_name(tensor.dtype())},
             {"shape", static_cast<const std::vector<int64_t>&>(tensor.shape())}};
    if (as_bytes) {
      one["parameters"] = {{"binary_data_size", tensor.bytes()}};
      binary.append(static_cast<const char*>(tensor.raw()), tensor.bytes());
    } else {
      one["data"] = numbers_of(tensor);
    }
    list.push_back(std::move(one));
  }
  json body{{"model_name", model}, {"outputs", std::move(list)}};
  if (!id.empty()) body["id"] = id;
  HttpReply reply = json_reply(body);
  if (binary.empty()) return reply;
  reply.headers["Inference-Header-Content-Length"] = std::to_string(reply.body.size());
  reply.type = "application/octet-stream";
  reply.body += binary;
  return reply;
}

void infer(Service& service, const RouteCall& call) {
  const std::shared_ptr<ServedModel> model = model_of(service, call);
  if (!model) return;
  std::string_view text = call.request.body, binary;
  const std::string& header = call.request.header("inference-header-content-length");
  if (!header.empty()) {
    const size_t length = std::strtoull(header.c_str(), nullptr, 10);
    if (length > text.size())
      return call.respond(protocol_error(400, "Inference-Header-Content-Length is beyond the body"));
    binary = text.substr(length);
    text = text.substr(0, length);
  }
  try {
    const json body = parse_body(text);
    const Graph& graph = model->model().contents().graph;
    std::vector<Tensor> inputs(graph.inputs.size());
    std::vector<bool> given(graph.inputs.size());
    for (const json& input : body.at("inputs")) {
      const auto name = input.at("name").get<std::string>();
      size_t i = 0;
      while (i < graph.inputs.size() && graph.value(graph.inputs[i]).name != name) ++i;
      if (i == graph.inputs.size() || given[i])
        throw Error("input \"" + name + "\" is none of the model's, or given twice");
      inputs[i] = read_input(input, graph.value(graph.inputs[i]), binary, size_t{1} << 30);
      given[i] = true;
    }
    for (size_t i = 0; i < given.size(); ++i)
      if (!given[i]) throw Error("input \"" + graph.value(graph.inputs[i]).name + "\" is not given");
    const std::vector<WantedOutput> wanted = wanted_outputs(body, graph);
    const std::string id = body.value("id", std::string());
    const auto done = [respond = call.respond, model = model.get(), id, wanted](const std::vector<Tensor>& outputs,
                                                                                const std::string& error) {
      try {
        if (!error.empty()) return respond(protocol_error(400, error));
        respond(outputs_reply(model->name(), id, model->model().contents().graph, wanted, outputs));
      } catch (const std::exception& problem) {
        respond(protocol_error(400, problem.what()));
      }
    };
    if (!model->infer({std::move(inputs), done})) {
      HttpReply reply = protocol_error(503, "too many requests wait; try again in a second");
      reply.headers["Retry-After"] = "1";
      call.respond(std::move(reply));
    }
  } catch (const json::exception&) {
    call.respond(protocol_error(400, "the body is no inference request of the protocol"));
  } catch (const Error& error) {
    call.respond(protocol_error(400, error.what()));
  }
}

}  // namespace

void add_kserve_routes(Service& service) {
  service.add("GET", "/v2", [](Service&, const RouteCall& call) {
    call.respond(json_reply({{"name", "graft"}, {"version", version()}, {"extensions", {"binary_tensor_data"}}}));
  });
  service.add("GET", "/v2/health/live", [](Service&, const RouteCall& call) {
    call.respond(json_reply({{"live", true}}));
  });
  service.add("GET", "/v2/health/ready", [](Service& s, const RouteCall& call) {
    call.respond(json_reply({{"ready", s.ready()}}, s.ready() ? 200 : 503));
  });
  const Service::Route metadata = [](Service& s, const RouteCall& call) {
    const auto model = model_of(s, call);
    if (!model) return;
    const Graph& graph = model->model().contents().graph;
    call.respond(json_reply({{"name", model->name()},
                             {"versions", {"1"}},
                             {"platform", "graft_onnx"},
                             {"inputs", values_json(graph, graph.inputs)},
                             {"outputs", values_json(graph, graph.outputs)}}));
  };
  const Service::Route ready = [](Service& s, const RouteCall& call) {
    const auto model = model_of(s, call);
    if (!model) return;
    call.respond(json_reply({{"name", model->name()}, {"ready", true}}));
  };
  // Every model has one version, which clients may name or not.
  const auto add = [&service](const char* method, const std::string& end, const Service::Route& route) {
    service.add(method, "/v2/models/{}" + end, route);
    service.add(method, "/v2/models/{}/versions/{}" + end, [route](Service& s, RouteCall call) {
      if (call.words.at(1) != "1") return call.respond(protocol_error(404, "there is only version 1"));
      route(s, std::move(call));
    });
  };
  add("GET", "", metadata);
  add("GET", "/ready", ready);
  add("POST", "/infer", [](Service& s, const RouteCall& call) { infer(s, call); });
}

}  // namespace graft::app
