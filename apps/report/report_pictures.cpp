#include "apps/report/report_pictures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "apps/drawing/filter_sheet.h"
#include "apps/drawing/html.h"
#include "apps/drawing/overlay.h"
#include "apps/library/pipelines.h"
#include "augment/augmentation.h"
#include "augment/colour_axes.h"
#include "augment/data/each_picture.h"
#include "augment/decode.h"
#include "finetune/features/pca.h"
#include "finetune/features/tsne.h"
#include "graft/explain.h"
#include "graft/feature_extractor.h"
#include "runtime/core/error.h"

namespace graft::app {
namespace {

using nlohmann::json;

constexpr int64_t kThumbnail = 112;
constexpr int kQuality = 82;  // of JPEGs: a page holds hundreds

/// Two of a network's layers look at a picture with some of their channels.
json channels_of(const Model& model, const Node& node, const std::string& picture, const RunSettings& run) {
  const Shape& shape = model.contents().graph.value(node.outputs[0]).shape;
  RunSettings one = run;
  one.pictures = 1;
  one.views.clear();
  const Features features = FeatureExtractor(model, node.name, one).extract(std::vector<std::string>{picture});
  const int64_t channels = shape[1], places = static_cast<int64_t>(features.width) / channels;
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(places))));
  if (side < 2 || side * side != places) return nullptr;
  std::vector<double> mean(static_cast<size_t>(channels), 0);
  for (size_t i = 0; i < features.values.size(); ++i)
    mean[i / static_cast<size_t>(places)] += std::fabs(static_cast<double>(features.values[i]));
  std::vector<int64_t> order(static_cast<size_t>(channels));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return mean[static_cast<size_t>(a)] > mean[static_cast<size_t>(b)]; });
  order.resize(std::min<size_t>(order.size(), 16));
  constexpr int64_t kTile = 84, kGap = 4;
  const auto count = static_cast<int64_t>(order.size()), columns = std::min<int64_t>(8, count);
  Image sheet(columns * (kTile + kGap) - kGap, (count + columns - 1) / columns * (kTile + kGap) - kGap);
  std::fill(sheet.pixels.begin(), sheet.pixels.end(), uint8_t{128});
  for (int64_t k = 0; k < count; ++k) {
    const auto values = features.row(0).subspan(static_cast<size_t>(order[static_cast<size_t>(k)] * places),
                                                static_cast<size_t>(places));
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    for (int64_t y = 0; y < kTile; ++y)
      for (int64_t x = 0; x < kTile; ++x) {
        const float v = values[static_cast<size_t>(y * side / kTile * side + x * side / kTile)];
        const auto grey = static_cast<uint8_t>(std::lround(255 * (v - *low) / std::max(*high - *low, 1e-12f)));
        uint8_t* const pixel = sheet.row(k / columns * (kTile + kGap) + y) + (k % columns * (kTile + kGap) + x) * 3;
        std::fill_n(pixel, 3, grey);
      }
  }
  return {{"title", "the " + std::to_string(count) + " strongest of " + std::to_string(channels) + " channels of \"" +
                        node.name + "\" for " + picture},
          {"image", data_uri(sheet, 95)}};
}

}  // namespace

json report_thumbnails(const EvaluatedPart& part, const std::vector<size_t>& predictions) {
  std::vector<std::string> paths, uris(predictions.size());
  for (const size_t i : predictions) paths.push_back(part.files[part.evaluation.predictions[i].file].path);
  each_picture(
      paths, {.least_side = kThumbnail}, 0,
      [&](size_t i, const Image& image) { uris[i] = data_uri(shrunk(image, kThumbnail), kQuality); },
      [](size_t, const std::string&) {});
  json thumbnails = json::object();
  for (size_t i = 0; i < predictions.size(); ++i)
    if (!uris[i].empty())
      thumbnails[std::to_string(part.evaluation.predictions[predictions[i]].file)] = std::move(uris[i]);
  return thumbnails;
}

json report_overlays(const Model& model, const EvaluatedPart& part, const std::vector<size_t>& predictions,
                     const RunSettings& run, Listener* listener, std::string& method, std::vector<std::string>& notes) {
  json overlays = json::object();
  try {
    RunSettings single = run;
    single.views.clear();
    Explainer explainer(model, {}, single);
    method = explainer.method();
    for (size_t i = 0; i < predictions.size(); ++i) {
      const size_t file = part.evaluation.predictions[predictions[i]].file;
      const Explanation e = explainer.explain({part.files[file].path})[0];
      if (!e.error.empty()) continue;
      const Image image = overlay(e);
      overlays[std::to_string(file)] = data_uri(shrunk(image, 2 * kThumbnail), kQuality);
      if (listener)
        listener->progress("explain", static_cast<int64_t>(i + 1), static_cast<int64_t>(predictions.size()));
    }
  } catch (const Error& error) {
    notes.push_back(std::string("no overlays: ") + error.what());
  }
  return overlays;
}

json report_map(const Model& model, const EvaluatedPart& part, const RunSettings& run, Listener* listener,
                std::vector<std::string>& notes) {
  constexpr size_t kMost = 500;
  json map = json::array();
  const std::vector<Prediction>& all = part.evaluation.predictions;
  std::vector<size_t> chosen;
  const size_t count = std::min(all.size(), kMost);
  for (size_t i = 0; i < count; ++i) chosen.push_back(i * all.size() / count);
  if (count < 8) return map;
  try {
    std::vector<std::string> paths;
    for (const size_t i : chosen) paths.push_back(part.files[all[i].file].path);
    RunSettings known = run;
    known.pictures = paths.size();
    const Features features = FeatureExtractor(model, kPenultimate, known).extract(paths, listener);
    const auto rows = static_cast<int64_t>(features.rows);
    TsneOptions options;
    options.perplexity = std::min(30.0, static_cast<double>(rows) / 4);
    options.iterations = 500;
    const PcaResult pca = principal_components(features.values, rows);
    const TsneResult embedded = tsne(features.values, rows, options);
    for (size_t r = 0; r < features.rows; ++r)
      map.push_back({{"prediction", chosen[features.indices[r]]},
                     {"pca", {pca.places[2 * r], pca.places[2 * r + 1]}},
                     {"tsne", {embedded.places[2 * r], embedded.places[2 * r + 1]}}});
    if (all.size() > count)
      notes.push_back("the map of features shows " + std::to_string(count) + " of " + std::to_string(all.size()) +
                      " pictures");
  } catch (const Error& error) {
    notes.push_back(std::string("no map of features: ") + error.what());
  }
  return map;
}

json report_inside(const Model& model, const std::string& picture, const RunSettings& run,
                   std::vector<std::string>& notes) {
  json shown = json::array();
  const Graph& graph = model.contents().graph;
  try {
    shown.push_back({{"title", "filters of the first layer"}, {"image", data_uri(filter_sheet(graph, 6), 95)}});
  } catch (const Error& error) {
    notes.push_back(std::string("no filters: ") + error.what());
  }
  const Node *first = nullptr, *last = nullptr;
  for (const Node& node : graph.nodes) {
    const Shape& shape = graph.value(node.outputs[0]).shape;
    if (node.op->type() != "Conv" || shape.rank() != 4 || shape[1] < 1 || shape[2] == 1) continue;
    if (!first) first = &node;
    last = &node;
  }
  for (const Node* node : {first, last == first ? nullptr : last}) {
    if (!node || picture.empty()) continue;
    try {
      json one = channels_of(model, *node, picture, run);
      if (!one.is_null()) shown.push_back(std::move(one));
    } catch (const Error& error) {
      notes.push_back("no activations of \"" + node->name + "\": " + error.what());
    }
  }
  return shown;
}

json report_augmentation(const ReportSource& source, const Preprocessing& preprocessing,
                         std::vector<std::string>& notes) {
  constexpr size_t kRows = 4, kViews = 5;
  json rows = json::array();
  if (source.training.empty() || source.augment.empty()) return rows;
  try {
    std::vector<std::string> paths;
    const size_t count = std::min(kRows, source.training.size());
    for (size_t i = 0; i < count; ++i) paths.push_back(source.training[i * source.training.size() / count].path);
    TransformContext context = transform_context(preprocessing);
    context.colour_axes = colour_axes_of(paths, 100);
    const Pipeline plain = make_pipeline("none", context, preprocessing),
                   random = make_pipeline(source.augment, context, preprocessing);
    for (size_t i = 0; i < count; ++i) {
      const Image image = decode_image(paths[i], plain.decoding());
      json row = json::array();
      for (size_t view = 0; view <= kViews; ++view) {
        const Image seen = upright((view == 0 ? plain : random).transform(image, mix(view, i)));
        row.push_back(data_uri(seen, kQuality));
      }
      rows.push_back(std::move(row));
    }
  } catch (const Error& error) {
    notes.push_back(std::string("no sheet of augmented pictures: ") + error.what());
  }
  return rows;
}

}  // namespace graft::app
