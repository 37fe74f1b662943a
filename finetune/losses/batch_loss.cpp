#include <algorithm>
#include <cmath>

#include "finetune/losses/loss.h"
#include "finetune/losses/not_finite.h"
#include "runtime/core/error.h"

namespace graft {

double row_weight(const Targets& targets, size_t i, std::span<const float> class_weights) {
  const double own = targets.weights.empty() ? 1 : static_cast<double>(targets.weights[i]);
  if (class_weights.empty()) return own;
  if (targets.rows.empty()) return own * static_cast<double>(class_weights[static_cast<size_t>(targets.labels[i])]);
  double weighted = 0, mass = 0;
  for (size_t k = 0; k < class_weights.size(); ++k) {
    const auto target = static_cast<double>(targets.rows[i * class_weights.size() + k]);
    weighted += target * static_cast<double>(class_weights[k]);
    mass += target;
  }
  return mass > 0 ? own * weighted / mass : own;
}

double batch_loss(const Loss& loss, std::span<const float> scores, const Targets& targets,
                  std::span<const float> class_weights, std::span<float> grad, Reduction reduction,
                  std::span<float> values) {
  const size_t rows = targets.labels.size(), outputs = rows == 0 ? 0 : scores.size() / rows;
  std::fill(grad.begin(), grad.end(), 0.0f);
  std::fill(values.begin(), values.end(), 0.0f);
  double total = 0, divisor = 0;
  for (size_t i = 0; i < rows; ++i) {
    if (targets.labels[i] < 0) continue;
    const auto part = [&](auto all) { return all.empty() ? all : all.subspan(i * outputs, outputs); };
    const auto row = part(scores);
    if (!std::all_of(row.begin(), row.end(), [](float v) { return std::isfinite(v); })) {
      throw ScoresNotFinite();
    }
    const Target target{targets.labels[i], part(targets.rows), part(targets.teacher)};
    const double weight = row_weight(targets, i, class_weights);
    const auto slope = part(grad);
    const double value = weight * loss.row(row, target, slope);
    for (float& g : slope) g = static_cast<float>(weight * static_cast<double>(g));
    if (!values.empty()) values[i] = static_cast<float>(value);
    total += value;
    divisor += weight;
  }
  if (reduction == Reduction::mean && divisor > 0)
    for (float& g : grad) g = static_cast<float>(static_cast<double>(g) / divisor);
  return total;
}

}  // namespace graft
