#include "graft/suggest.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "apps/library/confidence.h"
#include "apps/library/picture_runner.h"
#include "apps/library/pipelines.h"
#include "apps/library/scores.h"
#include "finetune/heads/ending.h"
#include "finetune/selection/next_labels.h"
#include "runtime/core/api_boundary.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

/// Features of the pictures that come first by a key, and no more of them than are wanted.
class Candidates {
 public:
  explicit Candidates(size_t most) : most_(most) {}
  struct Picture {
    size_t index;
    float uncertainty;
    std::vector<float> features, scores;
  };
  /// `key`: the larger, the rather it is kept; ties to the earlier picture.
  void add(double key, Picture picture) {
    if (kept_.size() == most_ && key <= kept_.begin()->first.first) return;
    const std::pair place(key, -static_cast<int64_t>(picture.index));
    kept_.emplace(place, std::move(picture));
    if (kept_.size() > most_) kept_.erase(kept_.begin());
  }
  const auto& kept() const { return kept_; }

 private:
  size_t most_;
  std::map<std::pair<double, int64_t>, Picture> kept_;
};

/// What the best class lacks to be clear of the second; of labels, how near one is to its threshold, as a part of what
/// lies on its side.
float uncertainty_of(std::span<const float> probabilities, Task task, const std::vector<float>& thresholds) {
  if (task == Task::multi_label || probabilities.size() == 1) {
    float nearest = 1;
    for (size_t k = 0; k < probabilities.size(); ++k) {
      const float p = probabilities[k], t = k < thresholds.size() ? thresholds[k] : 0.5f, side = p >= t ? 1 - t : t;
      nearest = std::min(nearest, side > 0 ? std::fabs(p - t) / side : 0);
    }
    return 1 - nearest;
  }
  float best = 0, second = 0;
  for (const float p : probabilities) {
    if (p > best) {
      second = best;
      best = p;
    } else
      second = std::max(second, p);
  }
  return 1 - (best - second);
}

}  // namespace

Suggestions suggest(const Model& model, const std::vector<std::string>& paths, const SuggestSettings& settings,
                    const RunSettings& run, Listener* listener) {
  return at_api_boundary([&] {
    if (model.task() == Task::regression)
      throw Error(place_of(model.contents()) + ": measured values are never unsure",
                  "give a model of classes or labels, or one that ends in features", ErrorCode::unsupported);
    const Graph& graph = model.contents().graph;
    if (graph.outputs.empty()) throw Error(place_of(model.contents()) + ": has no output", {}, ErrorCode::unsupported);
    const bool answers = !find_ending(graph, graph.outputs[0]).classifiers.empty();
    if (!answers && listener)
      listener->note("the model ends in features, which are never unsure: the pictures stand for all of them");
    const std::string scores_name = answers ? scores_before_softmax(graph) : "";
    const bool done = scores_name.empty() && ends_in_probabilities(graph);
    // Where the classifier reads places, the probabilities themselves tell pictures apart.
    const ValueId features = answers ? head_features(graph) : kNoValue;
    const Confidence confidence = confidence_of(model.contents());
    Candidates candidates(candidates_for(settings.count));
    Suggestions result;
    RunSettings known = run;
    known.pictures = paths.size();
    PictureRunner runner(model.contents(), known, scores_name, features);
    std::vector<float> scores;
    runner.run(
        "suggest", paths,
        [&](size_t i, std::span<const float> values, std::span<const float> own_features) {
          scores.assign(values.begin(), values.end());
          if (answers) to_probabilities(scores, model.task(), done, confidence.temperature);
          const auto finite = [](std::span<const float> row) {
            return std::all_of(row.begin(), row.end(), [](float v) { return std::isfinite(v); });
          };
          if (!finite(scores) || !finite(own_features)) {
            const std::string reason = paths[i] + ": the network's output holds what is no number";
            result.skipped.push_back({i, reason});
            if (listener) listener->skipped(reason);
            return;
          }
          const float uncertainty = answers ? uncertainty_of(scores, model.task(), confidence.thresholds) : 1;
          // Features alone rank nothing: then a lot decides who is a candidate.
          const double key = answers ? static_cast<double>(uncertainty)
                                     : static_cast<double>(uniform(settings.seed, static_cast<uint64_t>(i)));
          const std::span<const float> from = own_features.empty() ? std::span<const float>(scores) : own_features;
          candidates.add(key, {i, uncertainty, {from.begin(), from.end()}, answers ? scores : std::vector<float>()});
        },
        [&](size_t i, const std::string& reason) {
          result.skipped.push_back({i, reason});
        },
        listener);
    std::vector<const Candidates::Picture*> pictures;
    std::vector<float> all_features, uncertainty;
    for (auto at = candidates.kept().rbegin(); at != candidates.kept().rend(); ++at) {
      pictures.push_back(&at->second);
      all_features.insert(all_features.end(), at->second.features.begin(), at->second.features.end());
      uncertainty.push_back(at->second.uncertainty);
    }
    if (pictures.empty()) return result;
    for (const size_t i :
         next_to_label(all_features, pictures[0]->features.size(), uncertainty, settings.count, settings.seed))
      result.pictures.push_back(
          {pictures[i]->index, static_cast<double>(uncertainty[i]),
           answers ? best_scores(pictures[i]->scores, model.task(), model.labels(), 2, confidence.thresholds)
                   : std::vector<Score>()});
    std::stable_sort(result.pictures.begin(), result.pictures.end(),
                     [](const Suggestion& a, const Suggestion& b) { return a.uncertainty > b.uncertainty; });
    return result;
  });
}

}  // namespace graft
