#include "finetune/selection/held_out.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "finetune/losses/formulas/formula.h"
#include "finetune/metrics/metrics.h"
#include "finetune/metrics/score_table.h"

namespace graft {
namespace {

constexpr double kChance = 0.025;  // once in forty times

/// Standard errors that chance exceeds with this probability, in one direction. [Abramowitz & Stegun, 26.2.23]
double normal_quantile(double upper_tail) {
  const double t = std::sqrt(-2 * std::log(upper_tail));
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

}  // namespace

void HeldOut::add(std::span<const float> f, int label, double weight) {
  weights.push_back(weight);
  losses.push_back(weight * (formulas::log_sum_exp(f, Row{}) - static_cast<double>(f[static_cast<size_t>(label)])));
  right.push_back(top_indices(f, 1)[0] == label);
}

HeldOut HeldOut::unweighted() const {
  HeldOut same = *this;
  for (size_t i = 0; i < losses.size(); ++i) same.losses[i] /= weights[i];
  same.weights.assign(weights.size(), 1);
  return same;
}

void HeldOut::append(const HeldOut& other) {
  losses.insert(losses.end(), other.losses.begin(), other.losses.end());
  right.insert(right.end(), other.right.begin(), other.right.end());
  weights.insert(weights.end(), other.weights.begin(), other.weights.end());
}

double HeldOut::loss() const {
  const double all = std::accumulate(weights.begin(), weights.end(), 0.0);
  return all > 0 ? std::accumulate(losses.begin(), losses.end(), 0.0) / all : 0;
}

double HeldOut::accuracy() const {
  const auto hits = static_cast<double>(std::count(right.begin(), right.end(), true));
  return right.empty() ? 0 : hits / static_cast<double>(right.size());
}

double HeldOut::weighted_accuracy() const {
  double hits = 0, all = 0;
  for (size_t i = 0; i < right.size(); ++i) {
    hits += right[i] ? weights[i] : 0;
    all += weights[i];
  }
  return all > 0 ? hits / all : 0;
}

MeanDifference mean_difference(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  MeanDifference d;
  double square = 0;
  for (size_t i = 0; i < a.size(); ++i) d.mean += (a[i] - b[i]) / n;
  for (size_t i = 0; i < a.size(); ++i) square += std::pow(a[i] - b[i] - d.mean, 2);
  d.error = n > 1 ? std::sqrt(square / (n - 1) / n) : HUGE_VAL;
  return d;
}

double sign_test(int wins, int losses) {
  const double n = wins + losses;
  double sum = 0;
  for (double k = wins; k <= n; ++k)
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) - n * std::log(2.0));
  return sum;
}

bool is_better_beyond_chance(const HeldOut& now, const HeldOut& before, int comparisons) {
  const double chance = kChance / comparisons, errors = normal_quantile(chance);
  const MeanDifference gain = mean_difference(before.losses, now.losses);
  if (std::adjacent_find(now.weights.begin(), now.weights.end(), std::not_equal_to<>()) != now.weights.end())
    return gain.mean > errors * gain.error && now.weighted_accuracy() >= before.weighted_accuracy();
  int wins = 0, defeats = 0;
  for (size_t i = 0; i < now.right.size(); ++i) {
    wins += now.right[i] && !before.right[i];
    defeats += !now.right[i] && before.right[i];
  }
  return (gain.mean > errors * gain.error && wins >= defeats) || (sign_test(wins, defeats) < chance && gain.mean > 0);
}

double best_temperature(std::span<const float> scores, std::span<const int> labels, int classes) {
  const auto width = static_cast<size_t>(classes);
  ScoreTable table(width);
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i] >= 0) table.add(scores.subspan(i * width, width), labels[i]);
  return table.best_temperature();
}

}  // namespace graft
