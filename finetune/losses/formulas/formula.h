#pragma once

#include <cmath>
#include <limits>

#include "finetune/losses/loss.h"
#include "runtime/core/component.h"
#include "runtime/core/row.h"

namespace graft::formulas {

/// What formulas have unless they say otherwise. A formula is a function of one row, (scores f, target, slopes, threads
/// of the row), that returns the loss and adds dL/df to the slopes; the same source serves the processor and the GPU.
/// As a component it also has kText, Options, and make(options, use), which calls use(formula).
struct FormulaDefaults {
  static constexpr bool kTakesRows = true, kElementWise = false, kNeedsTeacher = false;
};

/// log Σ exp(f/T), without overflow.
GRAFT_DEVICE inline double log_sum_exp(std::span<const float> f, Row row, double temperature = 1) {
  float largest = -std::numeric_limits<float>::infinity();
  for (size_t k = static_cast<size_t>(row.lane()); k < f.size(); k += static_cast<size_t>(row.size()))
    largest = f[k] > largest ? f[k] : largest;
  const auto top = static_cast<double>(row.max(largest));
  double sum = 0;
  for (size_t k = static_cast<size_t>(row.lane()); k < f.size(); k += static_cast<size_t>(row.size()))
    sum += std::exp((static_cast<double>(f[k]) - top) / temperature);
  return top / temperature + std::log(row.sum(sum));
}

/// The columns that a thread takes.
#define GRAFT_FOR_COLUMNS(k, f, row) \
  for (size_t k = static_cast<size_t>((row).lane()); k < (f).size(); k += static_cast<size_t>((row).size()))

/// The mean over a row's outputs of a function of one score and its target, as PyTorch's losses of the same names
/// average over all elements. `Function` has double operator()(double f, double t, double& slope) const; it is the
/// component.
template <typename Function>
struct ElementWise : FormulaDefaults {
  static constexpr bool kElementWise = true;
  Function function;
  GRAFT_DEVICE double operator()(std::span<const float> f, const Target& y, std::span<float> grad, Row row) const {
    const auto n = static_cast<double>(f.size());
    double loss = 0;
    GRAFT_FOR_COLUMNS(k, f, row) {
      double slope = 0;
      loss += function(static_cast<double>(f[k]), y.at(k), slope);
      grad[k] += static_cast<float>(slope / n);
    }
    return row.sum(loss) / n;
  }
};

}  // namespace graft::formulas
