#include "finetune/metrics/score_table.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "finetune/losses/formulas/formula.h"
#include "runtime/core/random.h"

namespace graft {

void ScoreTable::add(std::span<const float> scores, int label) {
  scores_.insert(scores_.end(), scores.begin(), scores.end());
  labels_.push_back(label);
}

std::pair<double, double> ScoreTable::accuracy_interval(int resamples, uint64_t seed) const {
  const size_t n = count();
  if (n == 0) return {0, 0};
  std::vector<uint8_t> hit;
  for (size_t i = 0; i < n; ++i)
    hit.push_back(std::max_element(row(i).begin(), row(i).end()) - row(i).begin() == labels_[i]);
  std::vector<double> accuracies;
  for (int r = 0; r < resamples; ++r) {
    Random random(mix(mix(seed, 0x626f6f74), static_cast<uint64_t>(r)));
    size_t hits = 0;
    for (size_t i = 0; i < n; ++i) hits += hit[random.below(n)];
    accuracies.push_back(static_cast<double>(hits) / static_cast<double>(n));
  }
  std::sort(accuracies.begin(), accuracies.end());
  const auto at = [&](double part) {
    return accuracies[static_cast<size_t>(std::lround(part * static_cast<double>(accuracies.size() - 1)))];
  };
  return {at(0.025), at(0.975)};
}

double ScoreTable::roc_auc() const {
  std::vector<std::pair<double, bool>> ranked;  // by how much class 1 leads
  for (size_t i = 0; i < count(); ++i)
    ranked.emplace_back(static_cast<double>(row(i)[1]) - static_cast<double>(row(i)[0]), labels_[i] == 1);
  std::sort(ranked.begin(), ranked.end());
  double below = 0, wins = 0, positives = 0;
  for (size_t first = 0; first < ranked.size();) {
    size_t last = first;
    double negatives_here = 0, positives_here = 0;
    for (; last < ranked.size() && ranked[last].first == ranked[first].first; ++last)
      (ranked[last].second ? positives_here : negatives_here) += 1;
    wins += positives_here * (below + negatives_here / 2);
    below += negatives_here;
    positives += positives_here;
    first = last;
  }
  return positives > 0 && below > 0 ? wins / (positives * below) : 0.5;
}

double ScoreTable::loss(double temperature) const {
  double total = 0;
  for (size_t i = 0; i < count(); ++i)
    total += formulas::log_sum_exp(row(i), Row{}, temperature) -
             static_cast<double>(row(i)[static_cast<size_t>(labels_[i])]) / temperature;
  return count() == 0 ? 0 : total / static_cast<double>(count());
}

double ScoreTable::best_temperature() const {
  // The loss is convex in 1/T, so it has one minimum in log T as well: golden section.
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  double low = std::log(5e-4), high = std::log(2000.0);
  double a = high - ratio * (high - low), b = low + ratio * (high - low);
  double at_a = loss(std::exp(a)), at_b = loss(std::exp(b));
  while (high - low > 1e-6) {
    if (at_a < at_b) {
      high = b;
      b = a;
      at_b = at_a;
      a = high - ratio * (high - low);
      at_a = loss(std::exp(a));
    } else {
      low = a;
      a = b;
      at_a = at_b;
      b = low + ratio * (high - low);
      at_b = loss(std::exp(b));
    }
  }
  return std::exp((low + high) / 2);
}

double ScoreTable::calibration_error(double temperature) const {
  constexpr size_t kBins = 15;
  double gap[kBins] = {};
  for (size_t i = 0; i < count(); ++i) {
    const auto best = std::max_element(row(i).begin(), row(i).end());
    const double confidence =
        std::exp(static_cast<double>(*best) / temperature - formulas::log_sum_exp(row(i), Row{}, temperature));
    gap[std::min(kBins - 1, static_cast<size_t>(confidence * kBins))] +=
        (best - row(i).begin() == labels_[i] ? 1 : 0) - confidence;
  }
  const double total =
      std::accumulate(std::begin(gap), std::end(gap), 0.0, [](double sum, double g) { return sum + std::fabs(g); });
  return count() == 0 ? 0 : total / static_cast<double>(count());
}

}  // namespace graft
