#include "apps/library/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/core/error.h"

namespace graft {

CalibrationMethod calibration_method(const std::string& name) {
  if (name == "min-max") return CalibrationMethod::min_max;
  if (name == "percentile") return CalibrationMethod::percentile;
  if (name == "entropy") return CalibrationMethod::entropy;
  if (name == "mean-square") return CalibrationMethod::mean_square;
  throw Error("no way to choose ranges", "use min-max, percentile, entropy or mean-square").about("calibration", name);
}

void ValueRange::widen(std::span<const float> numbers) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  float low = low_, high = high_;
  for (const float x : numbers) {  // comparisons with NaN are false
    low = x < low && x >= -kLargest ? x : low;
    high = x > high && x <= kLargest ? x : high;
  }
  low_ = low, high_ = high;
}

void ValueRange::widen(const ValueRange& other) {
  low_ = std::min(low_, other.low_);
  high_ = std::max(high_, other.high_);
}

void ValueRange::count(std::span<const float> numbers) {
  bins_.resize(kBins);
  if (!(high_ > low_)) return;
  const float scale = static_cast<float>(kBins) / (high_ - low_);
  for (const float x : numbers) {
    if (!std::isfinite(x)) continue;
    const auto bin = static_cast<size_t>(std::max(0.0f, (x - low_) * scale));
    bins_[std::min(bin, kBins - 1)] += 1;
  }
}

double ValueRange::bin_middle(size_t bin) const {
  return static_cast<double>(low_) +
         (static_cast<double>(bin) + 0.5) * static_cast<double>(high_ - low_) / static_cast<double>(kBins);
}

ValueRange::Range ValueRange::percentile_range(double percentile) const {
  const double total = std::accumulate(bins_.begin(), bins_.end(), 0.0), outside = total * (1 - percentile / 100);
  // Where nothing lies below zero, all that is left out lies above.
  const double each = low_ < 0 ? outside / 2 : outside;
  const double width = static_cast<double>(high_ - low_) / static_cast<double>(kBins);
  size_t first = 0, last = kBins;
  double below = 0, above = 0;
  while (low_ < 0 && first + 1 < last && below + bins_[first] <= each) below += bins_[first++];
  while (last - 1 > first && above + bins_[last - 1] <= each) above += bins_[--last];
  return {static_cast<float>(static_cast<double>(low_) + static_cast<double>(first) * width),
          static_cast<float>(static_cast<double>(low_) + static_cast<double>(last) * width)};
}

ValueRange::Range ValueRange::entropy_range() const {
  constexpr size_t kLevels = 128, kStep = 16;
  // By distance from zero, as the method has it.
  const double reach = std::max(static_cast<double>(high_), -static_cast<double>(low_));
  std::vector<double> seen(kBins, 0.0);
  for (size_t b = 0; b < kBins; ++b) {
    const double at = std::fabs(bin_middle(b)) / reach * static_cast<double>(kBins);
    seen[std::min(static_cast<size_t>(at), kBins - 1)] += bins_[b];
  }
  seen[0] = seen[1];  // what ReLU made zero has no width to be told apart by
  double least = std::numeric_limits<double>::infinity();
  size_t best = kBins;
  for (size_t length = kLevels; length <= kBins; length += kStep) {
    std::vector<double> p(seen.begin(), seen.begin() + static_cast<int64_t>(length));
    p.back() += std::accumulate(seen.begin() + static_cast<int64_t>(length), seen.end(), 0.0);
    const double total = std::accumulate(p.begin(), p.end(), 0.0);
    double q_total = 0, divergence = 0;
    std::vector<double> q(length, 0.0);
    for (size_t level = 0; level < kLevels; ++level) {
      const size_t from = level * length / kLevels, to = (level + 1) * length / kLevels;
      double sum = 0, filled = 0;
      for (size_t b = from; b < to; ++b) {
        sum += seen[b];
        filled += seen[b] > 0 ? 1 : 0;
      }
      for (size_t b = from; b < to; ++b)
        if (seen[b] > 0) q[b] = sum / filled;
      q_total += sum;
    }
    if (!(total > 0) || !(q_total > 0)) continue;
    constexpr double kSmoothing = 1e-4;
    for (size_t b = 0; b < length; ++b) {
      if (!(p[b] > 0)) continue;
      const double pb = p[b] / total, qb = q[b] > 0 ? q[b] / q_total : kSmoothing / static_cast<double>(length);
      divergence += pb * std::log(pb / qb);
    }
    if (divergence < least) {
      least = divergence;
      best = length;
    }
  }
  const auto bound = static_cast<float>(reach * static_cast<double>(best) / static_cast<double>(kBins));
  return {std::max(low_, -bound), std::min(high_, bound)};
}

ValueRange::Range ValueRange::mean_square_range() const {
  constexpr int kTries = 64;
  constexpr double kLevels = 255;
  double least = std::numeric_limits<double>::infinity();
  Range best{low_, high_};
  for (int i = kTries / 8; i <= kTries; ++i) {
    const double part = static_cast<double>(i) / kTries, low = part * static_cast<double>(low_),
                 high = part * static_cast<double>(high_), step = (high - low) / kLevels;
    // Rounding spreads evenly over a step; what is clipped is known.
    double error = 0;
    for (size_t b = 0; b < kBins; ++b) {
      const double x = bin_middle(b), off = x < low ? low - x : x > high ? x - high : 0;
      error += bins_[b] * (off > 0 ? off * off : step * step / 12);
    }
    if (error < least) {
      least = error;
      best = {static_cast<float>(low), static_cast<float>(high)};
    }
  }
  return best;
}

ValueRange::Range ValueRange::chosen(CalibrationMethod method, double percentile) const {
  if (!(high_ > low_) || bins_.empty()) return {low_, high_};
  switch (method) {
    case CalibrationMethod::min_max:
      return {low_, high_};
    case CalibrationMethod::percentile:
      return percentile_range(percentile);
    case CalibrationMethod::entropy:
      return entropy_range();
    case CalibrationMethod::mean_square:
      return mean_square_range();
  }
  return {low_, high_};
}

}  // namespace graft
