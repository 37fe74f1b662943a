#include "finetune/metrics/score_table.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "finetune/losses/formulas/formula.h"

namespace graft {

void ScoreTable::add(std::span<const float> scores, int label) {
  scores_.insert(scores_.end(), scores.begin(), scores.end());
  labels_.push_back(label);
  log_sums_.push_back(formulas::log_sum_exp(scores, Row{}));
}

double ScoreTable::roc_auc() const {
  std::vector<std::pair<double, bool>> ranked;  // by how much class 1 leads
  for (size_t i = 0; i < count(); ++i)
    ranked.emplace_back(static_cast<double>(row(i)[1]) - static_cast<double>(row(i)[0]), labels_[i] == 1);
  return Ranking(std::move(ranked)).roc_auc();
}

Ranking ScoreTable::one_against_rest(int label) const {
  std::vector<std::pair<double, bool>> ranked;
  for (size_t i = 0; i < count(); ++i)
    ranked.emplace_back(static_cast<double>(row(i)[static_cast<size_t>(label)]) - log_sums_[i], labels_[i] == label);
  return Ranking(std::move(ranked));
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

double ScoreTable::mean_confidence(double temperature) const {
  double total = 0;
  for (size_t i = 0; i < count(); ++i)
    total += std::exp(static_cast<double>(*std::max_element(row(i).begin(), row(i).end())) / temperature -
                      formulas::log_sum_exp(row(i), Row{}, temperature));
  return count() == 0 ? 0 : total / static_cast<double>(count());
}

size_t ScoreTable::right() const {
  size_t count_right = 0;
  for (size_t i = 0; i < count(); ++i)
    count_right += std::max_element(row(i).begin(), row(i).end()) - row(i).begin() == labels_[i];
  return count_right;
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
