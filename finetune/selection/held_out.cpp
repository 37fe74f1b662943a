#include "finetune/selection/held_out.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "finetune/metrics/metrics.h"

namespace graft {
namespace {

/// Once in forty times: a part, and the standard errors that chance exceeds so often in one direction.
constexpr double kChance = 0.025, kErrors = 1.96;

}  // namespace

void HeldOut::add(std::span<const float> f, int label) {
  const float top = *std::max_element(f.begin(), f.end());
  double sum = 0;
  for (const float v : f) sum += std::exp(static_cast<double>(v - top));
  losses.push_back(std::log(sum) - static_cast<double>(f[static_cast<size_t>(label)] - top));
  right.push_back(top_indices(f, 1)[0] == label);
}

double HeldOut::loss() const {
  return losses.empty() ? 0 : std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
}

double HeldOut::accuracy() const {
  const auto hits = static_cast<double>(std::count(right.begin(), right.end(), true));
  return right.empty() ? 0 : hits / static_cast<double>(right.size());
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

bool is_better_beyond_chance(const HeldOut& now, const HeldOut& before) {
  const MeanDifference gain = mean_difference(before.losses, now.losses);
  int wins = 0, defeats = 0;
  for (size_t i = 0; i < now.right.size(); ++i) {
    wins += now.right[i] && !before.right[i];
    defeats += !now.right[i] && before.right[i];
  }
  return (gain.mean > kErrors * gain.error && wins >= defeats) || (sign_test(wins, defeats) < kChance && gain.mean > 0);
}

double best_temperature(std::span<const float> scores, std::span<const int> labels, int classes) {
  const auto width = static_cast<size_t>(classes);
  // The loss is convex in 1/T: its slope, Σ E_p[f] - f_label, rises, and its zero is halved into.
  const auto slope = [&](double inverse) {
    double sum = 0;
    for (size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] < 0) continue;
      const auto f = scores.subspan(i * width, width);
      const auto top = static_cast<double>(*std::max_element(f.begin(), f.end()));
      double mass = 0, mean = 0;
      for (const float v : f) {
        const double p = std::exp(inverse * (static_cast<double>(v) - top));
        mass += p;
        mean += p * static_cast<double>(v);
      }
      sum += mean / mass - static_cast<double>(f[static_cast<size_t>(labels[i])]);
    }
    return sum;
  };
  double low = 0.0005, high = 2000;  // of 1/T
  for (int i = 0; i < 60; ++i) {
    const double middle = std::sqrt(low * high);
    (slope(middle) < 0 ? low : high) = middle;
  }
  return 1 / std::sqrt(low * high);
}

}  // namespace graft
