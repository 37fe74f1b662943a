#include "apps/library/confidence.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/library/base64.h"
#include "apps/library/pipelines.h"
#include "finetune/features/feature_cache.h"
#include "finetune/heads/ending.h"
#include "finetune/selection/calibration.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

using nlohmann::json;

constexpr const char *kTemperature = "graft.temperature", *kThresholds = "graft.thresholds", *kOod = "graft.ood";
constexpr size_t kReferences = 1000, kHeldBack = 4000;

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

/// `most` of them at most, by lot, by class.
std::vector<int64_t> by_lot(const SampleSource& source, int64_t first, int64_t last, size_t most, uint64_t key) {
  std::vector<int64_t> pictures;
  for (int64_t i = first; i < last; ++i) pictures.push_back(i);
  for (size_t i = pictures.size(); i > 1; --i) std::swap(pictures[i - 1], pictures[mix(key, i) % i]);
  pictures.resize(std::min(pictures.size(), most));
  std::sort(pictures.begin(), pictures.end(),
            [&](int64_t a, int64_t b) { return std::pair(source.label(a), a) < std::pair(source.label(b), b); });
  return pictures;
}

/// As many of each class as there are, at most `most` in all, by lot; of more classes than that some by lot.
std::vector<int64_t> of_each_class(const SampleSource& source, int64_t first, int64_t last, size_t most, uint64_t key) {
  std::map<int, std::vector<int64_t>> classes;
  for (int64_t i = first; i < last; ++i) classes[source.label(i)].push_back(i);
  for (auto& [label, pictures] : classes)
    for (size_t i = pictures.size(); i > 1; --i)
      std::swap(pictures[i - 1], pictures[mix(key, static_cast<uint64_t>(pictures[i - 1])) % i]);
  const auto count = [&](size_t each) {
    size_t sum = 0;
    for (const auto& [label, pictures] : classes) sum += std::min(each, pictures.size());
    return sum;
  };
  while (classes.size() > most) {
    auto out = classes.begin();
    std::advance(out, static_cast<int64_t>(mix(key, classes.size()) % classes.size()));
    classes.erase(out);
  }
  size_t each = 1;
  while (each < most && count(each) < count(each + 1) && count(each + 1) <= most) ++each;
  std::vector<int64_t> result;
  for (const auto& [label, pictures] : classes)
    for (size_t i = 0; i < std::min(each, pictures.size()) && result.size() < most; ++i) result.push_back(pictures[i]);
  return result;
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

ConfidencePictures confidence_pictures(const SampleSource& source, int64_t training, uint64_t seed) {
  return {of_each_class(source, 0, training, kReferences, mix(seed, 1)),
          by_lot(source, training, source.size(), kHeldBack, mix(seed, 2))};
}

ConfidenceRows run_for_confidence(const OnnxModel& model, const SampleSource& source,
                                  const ConfidencePictures& pictures, const PictureSize& size, size_t batch,
                                  const Backend& backend, int threads,
                                  const std::function<void(int64_t done, int64_t total)>& progress) {
  Graph graph = model.graph;
  const ValueId features = head_features(graph);
  graph.outputs.resize(1);
  if (features != kNoValue) graph.outputs.push_back(features);
  std::vector<SampleRef> order;
  for (const auto* part : {&pictures.references, &pictures.held_back})
    for (const int64_t i : *part) order.push_back({i, 0});
  const auto total = static_cast<int64_t>(order.size());
  FeatureCache cache;
  cache.fill(graph, {static_cast<int64_t>(batch), size.height, size.width}, backend, threads, source, order, batch,
             [&](int64_t done) { progress(done, total); });
  ConfidenceRows rows{.width = features == kNoValue ? 0 : cache.width(1), .outputs = cache.width(0)};
  const auto append = [&](size_t output, int64_t i, std::vector<float>& to) {
    to.resize(to.size() + cache.width(output));
    cache.copy(output, {i, 0}, to.data() + to.size() - cache.width(output));
  };
  const std::set<int64_t> readable(cache.samples().begin(), cache.samples().end());
  for (const int64_t i : pictures.references)
    if (readable.contains(i) && rows.width > 0) append(1, i, rows.references);
  for (const int64_t i : pictures.held_back) {
    if (!readable.contains(i)) continue;
    append(0, i, rows.scores);
    if (rows.width > 0) append(1, i, rows.features);
    rows.labels.push_back(source.label(i));
    const std::span<const float> target = source.target(i);
    rows.targets.insert(rows.targets.end(), target.begin(), target.end());
  }
  return rows;
}

Confidence fit_confidence(const ConfidenceRows& rows, Task task, ConfidenceReport& report) {
  Confidence confidence;
  report.held_back = rows.labels.size();
  if (task == Task::classes && !rows.labels.empty()) {
    const TemperatureFit fit = fit_temperature(rows.scores, rows.labels, rows.outputs);
    confidence.temperature = report.temperature = fit.temperature;
    report.calibration_error = fit.error_before;
    report.calibration_error_at_temperature = fit.error_after;
  }
  if (task == Task::multi_label && rows.targets.size() == rows.scores.size() && !rows.labels.empty()) {
    const ThresholdFit fit = fit_thresholds(rows.scores, rows.targets, rows.outputs);
    if (fit.kept > 0) confidence.thresholds = fit.thresholds;
    report.thresholds = fit.kept;
    report.macro_f1 = fit.f1_before;
    report.macro_f1_at_thresholds = fit.f1_after;
  }
  if (rows.width > 0) {
    try {
      confidence.ood.emplace(OodDetector::fit(rows.references, rows.features, rows.width));
      report.references = confidence.ood->state().picture_scales.size();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::bad_data) throw;  // too few pictures to tell their kind by
    }
  }
  return confidence;
}

}  // namespace graft
