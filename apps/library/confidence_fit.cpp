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

/// What reads a frozen trunk's rows, which may have been on disk: its own outputs for the rows of a cache.
std::vector<std::vector<float>> run_head(const Graph& head, const OpenDims& dims, const Backend& backend, int threads,
                                         const FeatureCache& cache, const std::vector<int64_t>& samples) {
  RowPlan plan(head, dims, backend, threads);
  const size_t width = cache.width(0);
  std::vector<float> input(plan.rows() * width), rows;
  std::vector<std::vector<float>> results(plan.output_count());
  for (size_t at = 0; at < samples.size(); at += plan.rows()) {
    const size_t count = std::min(plan.rows(), samples.size() - at);
    for (size_t i = 0; i < count; ++i) cache.copy(0, {samples[at + i], 0}, input.data() + i * width);
    plan.forward(input.data());
    for (size_t o = 0; o < results.size(); ++o) {
      rows.resize(plan.rows() * plan.width(o));
      copy_to_plain(plan.view(o), rows.data());
      results[o].insert(results[o].end(), rows.begin(),
                        rows.begin() + static_cast<std::ptrdiff_t>(count * plan.width(o)));
    }
  }
  return results;
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
  Graph graph = model.graph;
  const ValueId features = head_features(graph);
  graph.outputs.resize(1);
  if (features != kNoValue) graph.outputs.push_back(features);
  std::optional<HeadSplit> split;
  if (files) split = split_trained(graph, dims, backend);
  const bool features_cross = split && split->trunk.outputs[0] == features;
  if (features_cross) split->head.outputs.resize(1);

  std::vector<SampleRef> order;
  for (const auto* part : {&pictures.references, &pictures.held_back})
    for (const int64_t i : *part) order.push_back({i, 0});
  const auto total = static_cast<int64_t>(order.size());
  FeatureCache cache;
  cache.fill(split ? split->trunk : graph, dims, backend, threads, source, order, batch, split ? files : nullptr,
             [&](int64_t done) { progress(done, total); });
  const std::set<int64_t> known(cache.samples().begin(), cache.samples().end());
  const auto readable = [&](std::vector<int64_t> samples) {
    std::erase_if(samples, [&](int64_t i) { return !known.contains(i); });
    return samples;
  };
  const std::vector<int64_t> references = readable(pictures.references), held_back = readable(pictures.held_back);
  const auto cached = [&](size_t output, const std::vector<int64_t>& samples) {
    std::vector<float> rows(samples.size() * cache.width(output));
    for (size_t i = 0; i < samples.size(); ++i)
      cache.copy(output, {samples[i], 0}, rows.data() + i * cache.width(output));
    return rows;
  };

  ConfidenceRows rows;
  if (!split) {
    rows.outputs = cache.width(0);
    rows.scores = cached(0, held_back);
    if (features != kNoValue) {
      rows.width = cache.width(1);
      rows.references = cached(1, references);
      rows.features = cached(1, held_back);
    }
  } else {
    auto judged = run_head(split->head, dims, backend, threads, cache, held_back);
    rows.outputs = held_back.empty() ? 0 : judged[0].size() / held_back.size();
    rows.scores = std::move(judged[0]);
    if (features_cross) {
      rows.width = cache.width(0);
      rows.references = cached(0, references);
      rows.features = cached(0, held_back);
    } else if (features != kNoValue && !held_back.empty()) {
      rows.width = judged[1].size() / held_back.size();
      rows.features = std::move(judged[1]);
      rows.references = std::move(run_head(split->head, dims, backend, threads, cache, references)[1]);
    }
  }
  for (const int64_t i : held_back) {
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
    report.guesses = fit.guesses;
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
  const std::string held_back =
      std::to_string(report.held_back) + (report.held_back == 1 ? " held-back picture" : " held-back pictures");
  if (task == Task::classes) {
    const std::string before = percent_text(report.calibration_error);
    if (report.guesses)
      listener.note("on " + held_back +
                    " the answers are no better than guesses: nothing makes their probabilities true");
    else if (report.held_back < TemperatureFit::kFewest)
      listener.note("probabilities stay as they are: " + held_back + " are too few to fit a temperature");
    else
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
