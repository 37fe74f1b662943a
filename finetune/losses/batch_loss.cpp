#include <algorithm>
#include <cmath>

#include "finetune/losses/loss.h"
#include "runtime/base/error.h"

namespace graft {

double batch_loss(const Loss& loss, std::span<const float> scores, std::span<const int> labels, std::span<const float> weights, std::span<float> grad) {
  const size_t classes = labels.empty() ? 0 : scores.size() / labels.size();
  std::fill(grad.begin(), grad.end(), 0.0f);
  double total = 0, divisor = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) continue;
    const auto row = scores.subspan(i * classes, classes);
    if (!std::all_of(row.begin(), row.end(), [](float v) { return std::isfinite(v); })) {
      throw Error("the network's scores are no longer finite numbers", "lower --lr");
    }
    const float weight = weights.empty() ? 1.0f : weights[static_cast<size_t>(labels[i])];
    const auto slope = grad.subspan(i * classes, classes);
    total += static_cast<double>(weight) * loss.row(row, labels[i], slope);
    for (float& g : slope) g *= weight;
    divisor += static_cast<double>(weight);
  }
  if (divisor > 0)
    for (float& g : grad) g = static_cast<float>(static_cast<double>(g) / divisor);
  return total;
}

}  // namespace graft
