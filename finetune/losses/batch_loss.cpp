#include <algorithm>
#include <cmath>

#include "finetune/losses/loss.h"
#include "runtime/core/error.h"

namespace graft {

double row_weight(const Target& target, std::span<const float> weights) {
  if (weights.empty()) return 1;
  if (target.row.empty()) return static_cast<double>(weights[static_cast<size_t>(target.label)]);
  double weighted = 0, mass = 0;
  for (size_t k = 0; k < target.row.size(); ++k) {
    weighted += target.at(k) * static_cast<double>(weights[k]);
    mass += target.at(k);
  }
  return mass > 0 ? weighted / mass : 1;
}

double batch_loss(const Loss& loss, std::span<const float> scores, const Targets& targets,
                  std::span<const float> weights, std::span<float> grad, Reduction reduction, std::span<float> values) {
  const size_t rows = targets.labels.size(), outputs = rows == 0 ? 0 : scores.size() / rows;
  std::fill(grad.begin(), grad.end(), 0.0f);
  std::fill(values.begin(), values.end(), 0.0f);
  double total = 0, divisor = 0;
  for (size_t i = 0; i < rows; ++i) {
    if (targets.labels[i] < 0) continue;
    const auto part = [&](auto all) { return all.empty() ? all : all.subspan(i * outputs, outputs); };
    const auto row = part(scores);
    if (!std::all_of(row.begin(), row.end(), [](float v) { return std::isfinite(v); })) {
      throw Error("the network's scores are no longer finite numbers", "use a lower " + mention("lr"));
    }
    const Target target{targets.labels[i], part(targets.rows), part(targets.teacher)};
    const double weight = row_weight(target, weights);
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
