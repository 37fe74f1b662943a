#include "apps/library/confidence_fit.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "apps/library/head_split.h"
#include "apps/library/pipelines.h"
#include "apps/library/scores.h"
#include "finetune/features/feature_cache.h"
#include "finetune/selection/calibration.h"
#include "finetune/selection/search_journal.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"
#include "runtime/plan/row_plan.h"

namespace graft {
namespace {

constexpr size_t kReferences = 1000, kHeldBack = 4000;

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

/// Fills the scores and their number from the held-back pictures' features.
void run_head(const Graph& head, const OpenDims& dims, const Backend& backend, int threads, ConfidenceRows& rows) {
  RowPlan plan(head, dims, backend, threads);
  rows.outputs = plan.width(0);
  std::vector<float> input(plan.rows() * rows.width), results(plan.rows() * rows.outputs);
  const size_t pictures = rows.labels.size();
  for (size_t at = 0; at < pictures; at += plan.rows()) {
    const size_t count = std::min(plan.rows(), pictures - at);
    std::copy_n(rows.features.data() + at * rows.width, count * rows.width, input.data());
    plan.forward(input.data());
    copy_to_plain(plan.view(0), results.data());
    rows.scores.insert(rows.scores.end(), results.begin(),
                       results.begin() + static_cast<std::ptrdiff_t>(count * rows.outputs));
  }
}

}  // namespace

ConfidencePictures confidence_pictures(const SampleSource& source, int64_t training, uint64_t seed) {
  return {of_each_class(source, 0, training, kReferences, mix(seed, 1)),
          by_lot(source, training, source.size(), kHeldBack, mix(seed, 2))};
}

ConfidenceRows run_for_confidence(const OnnxModel& model, const SampleSource& source,
                                  const ConfidencePictures& pictures, const PictureSize& size, size_t batch,
                                  const Backend& backend, int threads, FeatureFiles* files,
                                  const std::function<void(int64_t done, int64_t total)>& progress) {
  const OpenDims dims{static_cast<int64_t>(batch), size.height, size.width};
  const ValueId features = head_features(model.graph);
  std::optional<HeadSplit> split;
  if (files && features != kNoValue) split = split_head(model.graph, dims, backend);
  if (split && split->trunk.outputs[0] != features) split.reset();
  Graph graph = split ? split->trunk : model.graph;  // ends in features, in scores, or in both
  if (!split) {
    graph.outputs.resize(1);
    if (features != kNoValue) graph.outputs.push_back(features);
  }
  std::vector<SampleRef> order;
  for (const auto* part : {&pictures.references, &pictures.held_back})
    for (const int64_t i : *part) order.push_back({i, 0});
  const auto total = static_cast<int64_t>(order.size());
  FeatureCache cache;
  cache.fill(graph, dims, backend, threads, source, order, batch, split ? files : nullptr,
             [&](int64_t done) { progress(done, total); });
  const size_t last = cache.outputs() - 1;
  ConfidenceRows rows{.width = features == kNoValue ? 0 : cache.width(last), .outputs = cache.width(0)};
  const auto append = [&](size_t output, int64_t i, std::vector<float>& to) {
    to.resize(to.size() + cache.width(output));
    cache.copy(output, {i, 0}, to.data() + to.size() - cache.width(output));
  };
  const std::set<int64_t> readable(cache.samples().begin(), cache.samples().end());
  for (const int64_t i : pictures.references)
    if (readable.contains(i) && rows.width > 0) append(last, i, rows.references);
  for (const int64_t i : pictures.held_back) {
    if (!readable.contains(i)) continue;
    if (!split) append(0, i, rows.scores);
    if (rows.width > 0) append(last, i, rows.features);
    rows.labels.push_back(source.label(i));
    const std::span<const float> target = source.target(i);
    rows.targets.insert(rows.targets.end(), target.begin(), target.end());
  }
  if (split) run_head(split->head, dims, backend, threads, rows);
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

void tell_confidence(const ConfidenceReport& report, Task task, Listener& listener) {
  const std::string held_back = std::to_string(report.held_back) + " held-back pictures";
  if (task == Task::classes) {
    const std::string before = percent_text(report.calibration_error);
    listener.note(report.temperature == 1
                      ? "probabilities stay as they are (calibration error " + before + " on " + held_back +
                            "): a temperature would not make them truer"
                      : "probabilities at temperature " + short_number(report.temperature) + ": calibration error " +
                            percent_text(report.calibration_error_at_temperature) + " instead of " + before + " on " +
                            held_back);
  }
  if (report.thresholds > 0)
    listener.note("thresholds of " + std::to_string(report.thresholds) + " labels: mean F1 " +
                  short_number(report.macro_f1_at_thresholds) + " instead of " + short_number(report.macro_f1) +
                  " on " + held_back);
  if (report.references > 0)
    listener.note("pictures like none of the training's are told by " + std::to_string(report.references) + " of them");
}

}  // namespace graft
