#include "finetune/selection/linear_candidate.h"

#include <cmath>

#include "runtime/core/error.h"
#include "runtime/core/parallel.h"

namespace graft {

void FeatureMatrix::append(std::span<const float> view, size_t width) {
  if (values_.empty()) {
    width_ = width;
    pictures_ = view.size() / width;
  }
  if (width != width_ || view.size() != pictures_ * width_)
    throw Error("a view of other pictures or features", {}, ErrorCode::internal);
  values_.insert(values_.end(), view.begin(), view.end());
}

HeldOut judged(const LinearCandidate& candidate, const ClassTargets& t, int fold) {
  HeldOut judged;
  const auto classes = static_cast<size_t>(t.classes);
  for (size_t i = 0; i < t.labels.size(); ++i)
    if (t.fold[i] >= 0 && (fold < 0 || t.fold[i] == fold))
      judged.add({candidate.scores().data() + i * classes, classes}, t.labels[i], t.weight(i));
  return judged;
}

std::vector<float> scores_of(const LinearHeadWeights& head, std::span<const float> features) {
  const size_t classes = head.bias.size(), width = head.weight.size() / classes, rows = features.size() / width;
  std::vector<float> scores(rows * classes);
  parallel_for(static_cast<int64_t>(rows), 64, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i)
      for (size_t c = 0; c < classes; ++c) {
        auto f = static_cast<double>(head.bias[c]);
        for (size_t d = 0; d < width; ++d)
          f += static_cast<double>(head.weight[c * width + d]) * static_cast<double>(features[i * width + d]);
        scores[i * classes + c] = static_cast<float>(f);
      }
  });
  return scores;
}

HalfwayScale::HalfwayScale(const FeatureMatrix& features) : mean(features.width()), scale(features.width()) {
  const size_t rows = features.rows(), width = features.width();
  std::vector<double> sum(width, 0), square(width, 0);
  for (size_t i = 0; i < rows; ++i)
    for (size_t d = 0; d < width; ++d) sum[d] += static_cast<double>(features.row(i)[d]);
  for (double& s : sum) s /= static_cast<double>(rows);
  for (size_t i = 0; i < rows; ++i)
    for (size_t d = 0; d < width; ++d) {
      const double away = static_cast<double>(features.row(i)[d]) - sum[d];
      square[d] += away * away;
    }
  for (size_t d = 0; d < width; ++d) {
    square[d] /= static_cast<double>(rows);
    mean[d] = static_cast<float>(sum[d]);
  }
  const std::vector<size_t> parts = features.parts.empty() ? std::vector<size_t>{width} : features.parts;
  double first_variance = 0;
  size_t begin = 0;
  for (const size_t part : parts) {
    double mean_square = 0, deviations = 0;
    for (size_t d = begin; d < begin + part; ++d) {
      mean_square += square[d] / static_cast<double>(part);
      deviations += std::sqrt(square[d]);
    }
    const double overall = std::sqrt(mean_square),
                 variance = overall > 0 ? deviations / overall : 0;  // of all that is standardised
    if (begin == 0) first_variance = variance;
    const double level = begin == 0 || variance <= 0 || first_variance <= 0 ? 1 : std::sqrt(first_variance / variance);
    for (size_t d = begin; d < begin + part; ++d) {
      const double divisor = std::sqrt(std::sqrt(square[d]) * overall);
      scale[d] = divisor > 1e-6 * overall && divisor > 0 ? static_cast<float>(level / divisor) : 0.0f;
    }
    begin += part;
  }
}

std::vector<float> HalfwayScale::apply(const FeatureMatrix& features) const {
  const size_t width = features.width();
  std::vector<float> standardised(features.rows() * width);
  parallel_for(static_cast<int64_t>(features.rows()), 64, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i)
      for (size_t d = 0; d < width; ++d) standardised[i * width + d] = (features.row(i)[d] - mean[d]) * scale[d];
  });
  return standardised;
}

LinearHeadWeights HalfwayScale::folded(std::span<const float> weight, std::span<const float> bias,
                                       double temperature) const {
  const size_t width = mean.size();
  LinearHeadWeights head{std::vector<float>(weight.size()), std::vector<float>(bias.size())};
  for (size_t c = 0; c < bias.size(); ++c) {
    auto moved = static_cast<double>(bias[c]);
    for (size_t d = 0; d < width; ++d) {
      const double w = static_cast<double>(weight[c * width + d]) * static_cast<double>(scale[d]);
      moved -= w * static_cast<double>(mean[d]);
      head.weight[c * width + d] = static_cast<float>(w / temperature);
    }
    head.bias[c] = static_cast<float>(moved / temperature);
  }
  return head;
}

}  // namespace graft
