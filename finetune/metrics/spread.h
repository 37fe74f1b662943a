#pragma once

#include <cmath>
#include <span>

namespace graft {

/// Mean and sample standard deviation (of n - 1); 0 of too few numbers.
struct Spread {
  double mean = 0, deviation = 0;
};

inline Spread spread_of(std::span<const double> numbers) {
  const auto n = static_cast<double>(numbers.size());
  Spread spread;
  for (const double x : numbers) spread.mean += x / n;
  double square = 0;
  for (const double x : numbers) square += (x - spread.mean) * (x - spread.mean);
  if (n > 1) spread.deviation = std::sqrt(square / (n - 1));
  return spread;
}

}  // namespace graft
