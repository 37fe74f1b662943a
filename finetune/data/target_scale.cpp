#include "finetune/data/target_scale.h"

#include <cmath>

#include "runtime/core/error.h"

namespace graft {

TargetScale TargetScale::measure(const std::vector<std::vector<float>>& targets,
                                 const std::vector<std::string>& names) {
  if (targets.empty()) throw Error("there are no values to learn", {}, ErrorCode::bad_data);
  TargetScale scale;
  const auto n = static_cast<double>(targets.size());
  for (size_t k = 0; k < names.size(); ++k) {
    double mean = 0, variance = 0;
    for (const auto& t : targets) mean += static_cast<double>(t[k]) / n;
    for (const auto& t : targets) variance += std::pow(static_cast<double>(t[k]) - mean, 2) / n;
    if (!(variance > 1e-12 * mean * mean))
      throw Error("\"" + names[k] + "\" is " + std::to_string(mean) + " for every training picture",
                  "there is nothing to learn about it: leave it out");
    scale.mean.push_back(mean);
    scale.deviation.push_back(std::sqrt(variance));
  }
  return scale;
}

std::vector<float> TargetScale::scaled(const std::vector<float>& target) const {
  std::vector<float> result;
  for (size_t k = 0; k < target.size(); ++k)
    result.push_back(static_cast<float>((static_cast<double>(target[k]) - mean[k]) / deviation[k]));
  return result;
}

void TargetScale::undo(Graph& graph, const std::vector<std::string>& head) const {
  const auto constant = [&](const std::string& name) -> Tensor& { return *graph.value(graph.find(name)).constant; };
  auto weight = constant(head.at(0)).data<float>(), bias = constant(head.at(1)).data<float>();
  const size_t features = weight.size() / mean.size();
  for (size_t k = 0; k < mean.size(); ++k) {
    for (size_t i = 0; i < features; ++i)
      weight[k * features + i] = static_cast<float>(static_cast<double>(weight[k * features + i]) * deviation[k]);
    bias[k] = static_cast<float>(static_cast<double>(bias[k]) * deviation[k] + mean[k]);
  }
}

}  // namespace graft
