#include "finetune/selection/calibration.h"

#include <cmath>

#include "finetune/metrics/bootstrap.h"
#include "finetune/metrics/ranking.h"
#include "finetune/metrics/score_table.h"
#include "finetune/selection/held_out.h"

namespace graft {
namespace {

constexpr size_t kParts = 5;
constexpr double kSenseless = 50;  // a temperature that leaves next to nothing of scores
constexpr int64_t kFewestPositives = 5;

/// Parts are of neighbours in turn: pictures are in the order of their classes, so that each part has some of all.
size_t part_of(size_t picture) { return picture % kParts; }

struct Counts {
  int64_t hits = 0, wrong = 0, missed = 0;
  void add(bool said, bool is, int64_t times = 1) {
    hits += said && is ? times : 0;
    wrong += said && !is ? times : 0;
    missed += !said && is ? times : 0;
  }
  double f1() const {
    const int64_t all = 2 * hits + wrong + missed;
    return all == 0 ? 0 : 2 * static_cast<double>(hits) / static_cast<double>(all);
  }
};

/// The temperature that makes the probabilities most likely, but none that is surer than the answers have shown: their
/// mean confidence stays below (right + 1) / (pictures + 2), Laplace's rule of succession. Where all answers are right
/// the likelihood alone has no end short of certainty.
double cautious_temperature(const ScoreTable& table) {
  const double best = table.best_temperature(),
               most = (static_cast<double>(table.right()) + 1) / (static_cast<double>(table.count()) + 2);
  if (table.mean_confidence(best) <= most) return best;
  double low = std::log(best), high = std::log(2000.0);
  while (high - low > 1e-6) {
    const double middle = (low + high) / 2;
    (table.mean_confidence(std::exp(middle)) > most ? low : high) = middle;
  }
  return std::exp(high);
}

float sigmoid(double logit) { return static_cast<float>(1 / (1 + std::exp(-logit))); }

}  // namespace

TemperatureFit fit_temperature(std::span<const float> scores, std::span<const int> labels, size_t classes) {
  TemperatureFit fit;
  ScoreTable whole(classes);
  for (size_t i = 0; i < labels.size(); ++i) whole.add(scores.subspan(i * classes, classes), labels[i]);
  fit.error_before = fit.error_after = whole.calibration_error(1);
  fit.loss_before = fit.loss_after = whole.loss(1);
  if (labels.size() < TemperatureFit::kFewest) return fit;
  ScoreTable judged(classes);
  HeldOut before, after;
  std::vector<float> scaled(classes);
  for (size_t part = 0; part < kParts; ++part) {
    ScoreTable others(classes);
    for (size_t i = 0; i < labels.size(); ++i)
      if (part_of(i) != part) others.add(scores.subspan(i * classes, classes), labels[i]);
    const double temperature = cautious_temperature(others);
    for (size_t i = part; i < labels.size(); i += kParts) {
      for (size_t c = 0; c < classes; ++c)
        scaled[c] = static_cast<float>(static_cast<double>(scores[i * classes + c]) / temperature);
      judged.add(scaled, labels[i]);
      before.add(scores.subspan(i * classes, classes), labels[i]);
      after.add(scaled, labels[i]);
    }
  }
  fit.error_after = judged.calibration_error(1);
  fit.loss_after = judged.loss(1);
  const MeanDifference gain = mean_difference(before.losses, after.losses);
  fit.kept = fit.error_after < fit.error_before && gain.mean > 2 * gain.error;
  if (!fit.kept) return fit;
  fit.temperature = cautious_temperature(whole);
  if (fit.temperature < kSenseless) return fit;
  fit.guesses = true;
  fit.kept = false;
  fit.temperature = 1;
  return fit;
}

ThresholdFit fit_thresholds(std::span<const float> scores, std::span<const float> marks, size_t labels) {
  ThresholdFit fit{.thresholds = std::vector<float>(labels, 0.5f)};
  const size_t pictures = scores.size() / labels;
  size_t occurring = 0;
  for (size_t label = 0; label < labels; ++label) {
    const auto score = [&](size_t i) { return static_cast<double>(scores[i * labels + label]); };
    const auto is = [&](size_t i) { return marks[i * labels + label] > 0.5f; };
    const auto best = [&](size_t left_out) {
      std::vector<std::pair<double, bool>> scored;
      for (size_t i = 0; i < pictures; ++i)
        if (part_of(i) != left_out) scored.emplace_back(score(i), is(i));
      const Ranking ranking(std::move(scored));
      if (ranking.positives() == 0) return 0.0;
      const double threshold = ranking.best_threshold().threshold;
      for (const Ranking::Point& p : ranking.points())  // halfway to the next that stays out
        if (p.threshold < threshold && std::isfinite(p.threshold)) return (threshold + p.threshold) / 2;
      return threshold;
    };
    Counts half, own;
    for (size_t i = 0; i < pictures; ++i) half.add(score(i) >= 0, is(i));
    const int64_t positives = half.hits + half.missed;
    if (positives == 0) continue;
    ++occurring;
    std::vector<bool> said(pictures);
    for (size_t part = 0; part < kParts; ++part) {
      const double threshold = best(part);
      for (size_t i = part; i < pictures; i += kParts) own.add(said[i] = score(i) >= threshold, is(i));
    }
    const auto gain = [&](std::span<const uint32_t> drawn, std::span<double> figures) {
      Counts with, without;
      for (size_t i = 0; i < pictures; ++i) {
        with.add(said[i], is(i), drawn[i]);
        without.add(score(i) >= 0, is(i), drawn[i]);
      }
      figures[0] = with.f1() - without.f1();
    };
    const bool kept = pictures >= TemperatureFit::kFewest && positives >= kFewestPositives && own.f1() > half.f1() &&
                      bootstrap_intervals(pictures, 1, gain, resamples_for(pictures))[0].first > 0;
    if (kept) fit.thresholds[label] = sigmoid(best(kParts));
    fit.kept += kept;
    fit.f1_before += half.f1();
    fit.f1_after += kept ? own.f1() : half.f1();
  }
  if (occurring > 0) {
    fit.f1_before /= static_cast<double>(occurring);
    fit.f1_after /= static_cast<double>(occurring);
  }
  return fit;
}

}  // namespace graft
