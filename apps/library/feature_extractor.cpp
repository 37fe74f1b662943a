#include "graft/feature_extractor.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/library/network_text.h"
#include "apps/library/picture_runner.h"
#include "apps/library/pipelines.h"
#include "finetune/heads/head.h"
#include "importer/model.h"
#include "importer/output_keys.h"
#include "importer/preprocessing_json.h"
#include "runtime/core/api_boundary.h"

namespace graft {
namespace {

OnnxModel ended_in(const Model& model, const std::string& layer) {
  OnnxModel contents = model.contents();
  if (layer == kPenultimate) cut_head(contents.graph);
  choose_output(contents, layer == kPenultimate ? "" : layer);
  return contents;
}

/// What computes the first output, as text.
std::string identity_of(const Graph& graph) {
  if (const auto keys = output_keys(graph); keys[0]) return keys[0]->text();
  std::ostringstream text;  // loops have no key
  append_network(graph, text);
  return hash_of(text.str());
}

/// `ended`: the model as far as the layer.
std::string description(const Model& model, const OnnxModel& ended, const std::string& layer,
                        const RunSettings& settings) {
  const Preprocessing preprocessing = settings.preprocessing ? *settings.preprocessing : preprocessing_for(model);
  return nlohmann::json{{"model", std::filesystem::path(place_of(model.contents())).filename().string()},
                        {"network", identity_of(ended.graph)},
                        {"layer", layer},
                        {"preprocessing", nlohmann::json::parse(to_json(preprocessing))},
                        {"views", settings.views},
                        {"precision", settings.compute.precision}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

struct FeatureExtractor::Impl {
  Impl(const Model& model, const std::string& layer, const RunSettings& settings)
      : Impl(model, ended_in(model, layer), layer, settings) {}
  Impl(const Model& model, OnnxModel ended, const std::string& layer, const RunSettings& settings)
      : labels(model.labels()),
        made_by(description(model, ended, layer, settings)),
        runner(std::move(ended), settings) {}

  std::vector<std::string> labels;
  std::string made_by;
  PictureRunner runner;
};

FeatureExtractor::FeatureExtractor(const Model& model, const std::string& layer, const RunSettings& settings)
    : impl_(at_api_boundary([&] { return std::make_unique<Impl>(model, layer, settings); })) {}
FeatureExtractor::~FeatureExtractor() = default;
FeatureExtractor::FeatureExtractor(FeatureExtractor&&) noexcept = default;
FeatureExtractor& FeatureExtractor::operator=(FeatureExtractor&&) noexcept = default;

Features FeatureExtractor::extract(const std::vector<std::string>& paths, Listener* listener) {
  return at_api_boundary([&] {
    Features features;
    impl_->runner.run(
        "extract", paths,
        [&](size_t i, std::span<const float> row, std::span<const float>) {
          features.values.insert(features.values.end(), row.begin(), row.end());
          features.indices.push_back(i);
          features.paths.push_back(paths[i]);
        },
        [&](size_t i, const std::string& reason) {
          features.skipped.push_back({i, reason});
        },
        listener);
    if (features.indices.empty() && !paths.empty())
      throw Error("none of the pictures can be read", {}, ErrorCode::bad_data);
    features.rows = features.indices.size();
    features.width = impl_->runner.width();
    features.labels = class_labels(features.paths, impl_->labels);
    return features;
  });
}

size_t FeatureExtractor::run(const std::vector<std::string>& paths, const Row& row, const Failed& failed,
                             Listener* listener) {
  return at_api_boundary([&] {
    return impl_->runner.run(
        "extract", paths, [&](size_t i, std::span<const float> values, std::span<const float>) { row(i, values); },
        failed, listener);
  });
}

size_t FeatureExtractor::run(std::span<const EncodedPictureView> pictures, const Row& row, const Failed& failed,
                             Listener* listener) {
  return at_api_boundary([&] {
    return impl_->runner.run(
        "extract", pictures, [&](size_t i, std::span<const float> values, std::span<const float>) { row(i, values); },
        failed, listener);
  });
}

const std::string& FeatureExtractor::made_by() const { return impl_->made_by; }
size_t FeatureExtractor::width() const { return impl_->runner.width(); }

Features FeatureExtractor::extract(std::span<const PictureView> pictures, Listener* listener) {
  return at_api_boundary([&] {
    Features features;
    impl_->runner.run(
        "extract", pictures,
        [&](size_t i, std::span<const float> row, std::span<const float>) {
          features.values.insert(features.values.end(), row.begin(), row.end());
          features.indices.push_back(i);
        },
        listener);
    features.rows = features.indices.size();
    features.width = impl_->runner.width();
    features.labels.assign(features.rows, -1);
    return features;
  });
}

}  // namespace graft
