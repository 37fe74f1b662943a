#include "graft/classifier.h"

#include <algorithm>
#include <utility>

#include "apps/library/confidence.h"
#include "apps/library/picture_runner.h"
#include "apps/library/scores.h"
#include "finetune/metrics/metrics.h"
#include "runtime/core/api_boundary.h"

namespace graft {

struct Classifier::Impl {
  Impl(const Model& model, const RunSettings& settings)
      : task(model.task()),
        labels(model.labels()),
        confidence(confidence_of(model.contents())),
        // Several views are averaged before the softmax, and a temperature stands before it.
        scores_name((settings.views.empty() && confidence.temperature == 1) || model.contents().graph.outputs.empty()
                        ? ""
                        : scores_before_softmax(model.contents().graph)),
        done(scores_name.empty() && !model.contents().graph.outputs.empty() &&
             ends_in_probabilities(model.contents().graph)),
        runner(model.contents(), settings, scores_name, features_of(model.contents())) {}

  /// What the detector reads. Where the network has been changed since and ends otherwise, there is no detector.
  ValueId features_of(const OnnxModel& model) {
    if (!confidence.ood) return kNoValue;
    const ValueId features = head_features(model.graph);
    const Shape shape = features == kNoValue ? Shape{} : model.graph.value(features).shape;
    if (shape.rank() == 2 && shape[1] == static_cast<int64_t>(confidence.ood->width())) return features;
    confidence.ood.reset();
    return kNoValue;
  }

  PictureRunner::Row probabilities(const Row& row) {
    return [this, &row](size_t index, std::span<const float> values, std::span<const float> features) {
      scores.assign(values.begin(), values.end());
      if (!confidence.thresholds.empty() && confidence.thresholds.size() != scores.size())
        throw Error("the model has " + std::to_string(confidence.thresholds.size()) + " thresholds for " +
                        std::to_string(scores.size()) + " outputs",
                    {}, ErrorCode::corrupt_file);
      to_probabilities(scores, task, done, confidence.temperature);
      row(index, scores, confidence.ood ? std::optional(confidence.ood->score(features)) : std::nullopt);
    };
  }

  Classification classification(std::span<const float> row, std::optional<double> ood_score, size_t top) const {
    return {best_scores(row, task, labels, top, confidence.thresholds), "", ood_score};
  }

  template <typename Pictures>
  std::vector<Classification> all(Classifier& own, const Pictures& pictures, size_t top, Listener* listener) const {
    std::vector<Classification> results(pictures.size());
    own.run(
        pictures,
        [&](size_t i, std::span<const float> row, std::optional<double> ood_score) {
          results[i] = classification(row, ood_score, top);
        },
        [&](size_t i, const std::string& reason) { results[i].error = reason; }, listener);
    return results;
  }

  Task task;
  std::vector<std::string> labels;
  Confidence confidence;
  std::string scores_name;  // the value that is read; empty: the model's output
  bool done;                // it holds probabilities
  PictureRunner runner;
  std::vector<float> scores;
};

Classifier::Classifier(const Model& model, const RunSettings& settings)
    : impl_(at_api_boundary([&] { return std::make_unique<Impl>(model, settings); })) {}
Classifier::~Classifier() = default;
Classifier::Classifier(Classifier&&) noexcept = default;
Classifier& Classifier::operator=(Classifier&&) noexcept = default;

Task Classifier::task() const { return impl_->task; }
const std::vector<std::string>& Classifier::labels() const { return impl_->labels; }
const std::vector<float>& Classifier::thresholds() const { return impl_->confidence.thresholds; }
bool Classifier::detects_ood() const { return impl_->confidence.ood.has_value(); }
std::string Classifier::label(int index) const { return output_label(impl_->labels, index); }

size_t Classifier::run(const std::vector<std::string>& paths, const Row& row, const Failed& failed,
                       Listener* listener) {
  return at_api_boundary(
      [&] { return impl_->runner.run("classify", paths, impl_->probabilities(row), failed, listener); });
}

size_t Classifier::run(std::span<const EncodedPictureView> pictures, const Row& row, const Failed& failed,
                       Listener* listener) {
  return at_api_boundary(
      [&] { return impl_->runner.run("classify", pictures, impl_->probabilities(row), failed, listener); });
}

void Classifier::run(std::span<const PictureView> pictures, const Row& row, Listener* listener) {
  at_api_boundary([&] { impl_->runner.run("classify", pictures, impl_->probabilities(row), listener); });
}

std::vector<Classification> Classifier::classify(const std::vector<std::string>& paths, size_t top,
                                                 Listener* listener) {
  return impl_->all(*this, paths, top, listener);
}

std::vector<Classification> Classifier::classify(std::span<const EncodedPictureView> pictures, size_t top,
                                                 Listener* listener) {
  return impl_->all(*this, pictures, top, listener);
}

PreparedPicture Classifier::prepare(const EncodedPictureView& picture) const {
  return at_api_boundary([&] { return PreparedPicture{impl_->runner.prepare(picture)}; });
}

std::vector<Classification> Classifier::classify(std::span<const PreparedPicture> pictures, size_t top) {
  return at_api_boundary([&] {
    std::vector<std::span<const float>> values;
    std::vector<Classification> results(pictures.size());
    for (const PreparedPicture& picture : pictures) values.emplace_back(picture.values);
    const Row row = [&](size_t i, std::span<const float> scores, std::optional<double> ood_score) {
      results[i] = impl_->classification(scores, ood_score, top);
    };
    impl_->runner.run_prepared(values, impl_->probabilities(row));
    return results;
  });
}

std::vector<Classification> Classifier::classify(std::span<const PictureView> pictures, size_t top,
                                                 Listener* listener) {
  std::vector<Classification> results(pictures.size());
  const Row row = [&](size_t i, std::span<const float> scores, std::optional<double> ood_score) {
    results[i] = impl_->classification(scores, ood_score, top);
  };
  run(pictures, row, listener);
  return results;
}

std::vector<Score> best_scores(std::span<const float> scores, Task task, const std::vector<std::string>& labels,
                               size_t top, std::span<const float> thresholds) {
  // Measured values stand in their own order.
  auto best = top_indices(scores, task == Task::regression ? scores.size() : top);
  if (task == Task::regression) std::sort(best.begin(), best.end());
  std::vector<Score> result;
  for (const int i : best) {
    const auto k = static_cast<size_t>(i);
    const float threshold = k < thresholds.size() ? thresholds[k] : 0.5f;
    result.push_back({i, output_label(labels, i), scores[k], task != Task::multi_label || scores[k] >= threshold});
  }
  return result;
}

}  // namespace graft
