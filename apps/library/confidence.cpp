#include "apps/library/confidence.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "apps/library/base64.h"
#include "apps/library/pipelines.h"
#include "finetune/heads/ending.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

using nlohmann::json;

constexpr const char *kTemperature = "graft.temperature", *kThresholds = "graft.thresholds", *kOod = "graft.ood";

std::string packed(const std::vector<int8_t>& values) {
  return base64({reinterpret_cast<const uint8_t*>(values.data()), values.size()});
}

std::vector<int8_t> unpacked(const json& text) {
  const auto bytes = from_base64(text.get_ref<const std::string&>());
  if (!bytes) throw Error("no base64");
  std::vector<int8_t> values(bytes->size());
  if (!values.empty()) std::memcpy(values.data(), bytes->data(), values.size());
  return values;
}

std::string text_of(const OodDetector& detector) {
  const OodDetector::State& s = detector.state();
  return json{{"width", s.width},
              {"axes", packed(s.axes)},
              {"axis_scales", s.axis_scales},
              {"references", packed(s.references)},
              {"picture_scales", s.picture_scales},
              {"distances", s.distances}}
      .dump();
}

OodDetector detector_of(const json& j) {
  return OodDetector({.width = j.at("width").get<size_t>(),
                      .axes = unpacked(j.at("axes")),
                      .references = unpacked(j.at("references")),
                      .axis_scales = j.at("axis_scales").get<std::vector<float>>(),
                      .picture_scales = j.at("picture_scales").get<std::vector<float>>(),
                      .distances = j.at("distances").get<std::vector<float>>()});
}

/// Hands the key's contents to `body`, where there are any. Throws Error (corrupt_file) where that cannot take them.
template <typename Body>
void read_metadata(const OnnxModel& model, const char* key, const Body& body) {
  const auto said = model.metadata.other.find(key);
  if (said == model.metadata.other.end()) return;
  try {
    body(json::parse(said->second));
  } catch (const std::exception&) {  // its text may quote a megabyte
    throw Error(place_of(model) + ": metadata " + key + " is not what graft writes", {}, ErrorCode::corrupt_file);
  }
}

std::vector<float> any_thresholds(const OnnxModel& model) {
  std::vector<float> thresholds;
  read_metadata(model, kThresholds, [&](const json& j) {
    thresholds = j.get<std::vector<float>>();
    for (const float t : thresholds)
      if (!(t >= 0 && t <= 1)) throw Error("no probability");
  });
  return thresholds;
}

}  // namespace

double temperature_of(const OnnxModel& model) {
  double temperature = 1;
  read_metadata(model, kTemperature, [&](const json& j) {
    temperature = j.get<double>();
    if (!(temperature >= 5e-4 && temperature <= 2000)) throw Error("no temperature");  // all that a fit can come to
  });
  return temperature;
}

std::vector<float> thresholds_of(const OnnxModel& model, size_t outputs) {
  std::vector<float> thresholds = any_thresholds(model);
  if (!thresholds.empty() && thresholds.size() != outputs)
    throw Error(place_of(model) + ": has " + std::to_string(thresholds.size()) + " thresholds for " +
                    std::to_string(outputs) + " outputs",
                {}, ErrorCode::corrupt_file);
  return thresholds;
}

Confidence confidence_of(const OnnxModel& model) {
  Confidence confidence{temperature_of(model), any_thresholds(model), {}};
  read_metadata(model, kOod, [&](const json& j) { confidence.ood.emplace(detector_of(j)); });
  return confidence;
}

void set_confidence(const Confidence& confidence, Metadata& metadata) {
  for (const char* key : {kTemperature, kThresholds, kOod}) metadata.other.erase(key);
  if (confidence.temperature != 1) metadata.other[kTemperature] = json(confidence.temperature).dump();
  if (!confidence.thresholds.empty()) metadata.other[kThresholds] = json(confidence.thresholds).dump();
  if (confidence.ood) metadata.other[kOod] = text_of(*confidence.ood);
}

ValueId head_features(const Graph& graph) {
  if (graph.outputs.empty()) return kNoValue;
  const Ending ending = find_ending(graph, graph.outputs[0]);
  if (ending.classifiers.size() != 1 || !ending.selections.empty()) return kNoValue;
  const ValueId features = ending.classifiers[0].features;
  return graph.value(features).shape.rank() == 2 && graph.value(features).dtype == DType::f32 ? features : kNoValue;
}

}  // namespace graft
