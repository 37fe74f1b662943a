#include "finetune/selection/prototypes.h"

#include <algorithm>

namespace graft {

Prototypes::Prototypes(const FeatureMatrix& features, const ClassTargets& targets)
    : targets_(targets),
      width_(features.width()),
      scale_(features),
      standardised_(scale_.apply(features)),
      scores_(features.pictures() * static_cast<size_t>(targets.classes), 0) {
  const auto classes = static_cast<size_t>(targets_.classes);
  std::vector<int> labels(features.pictures(), -1);
  for (int fold = 0; fold < targets_.folds; ++fold) {
    const Means means = means_without(fold);
    for (size_t i = 0; i < features.pictures(); ++i) {
      if (targets_.fold[i] != fold) continue;
      labels[i] = targets_.labels[i];
      for (size_t c = 0; c < classes; ++c) {
        auto f = static_cast<double>(means.bias[c]);
        for (size_t d = 0; d < width_; ++d)
          f += static_cast<double>(means.weight[c * width_ + d]) * static_cast<double>(standardised_[i * width_ + d]);
        scores_[i * classes + c] = static_cast<float>(f);
      }
    }
  }
  judges_ = std::any_of(labels.begin(), labels.end(), [](int label) { return label >= 0; });
  temperature_ = judges_ ? best_temperature(scores_, labels, targets_.classes) : guessed_temperature();
  for (float& f : scores_) f = static_cast<float>(static_cast<double>(f) / temperature_);
}

Prototypes::Means Prototypes::means_without(int fold) const {
  const auto classes = static_cast<size_t>(targets_.classes);
  const size_t pictures = targets_.labels.size();
  std::vector<double> sums(classes * width_, 0), counts(classes, 0);
  for (size_t row = 0; row < standardised_.size() / width_; ++row) {
    const size_t picture = row % pictures;
    if (fold >= 0 && targets_.fold[picture] == fold) continue;
    const auto c = static_cast<size_t>(targets_.labels[picture]);
    const double weight = targets_.weight(picture);
    for (size_t d = 0; d < width_; ++d)
      sums[c * width_ + d] += weight * static_cast<double>(standardised_[row * width_ + d]);
    counts[c] += weight;
  }
  Means means{std::vector<float>(classes * width_), std::vector<float>(classes)};
  for (size_t c = 0; c < classes; ++c) {
    double square = 0;
    for (size_t d = 0; d < width_; ++d) {
      const double mean = counts[c] > 0 ? sums[c * width_ + d] / counts[c] : 0;
      means.weight[c * width_ + d] = static_cast<float>(mean);
      square += mean * mean;
    }
    // A class without a picture is nobody's nearest.
    means.bias[c] = counts[c] > 0 ? static_cast<float>(-square / 2) : -1e9f;
  }
  return means;
}

/// The scores of a class's mean differ by half the squared distance of the means.
double Prototypes::guessed_temperature() const {
  constexpr double kLogOdds = 3;
  const Means means = means_without(-1);
  const auto classes = static_cast<size_t>(targets_.classes);
  double sum = 0, pairs = 0;
  for (size_t a = 0; a < classes; ++a)
    for (size_t b = 0; b < a; ++b, ++pairs)
      for (size_t d = 0; d < width_; ++d) {
        const double apart =
            static_cast<double>(means.weight[a * width_ + d]) - static_cast<double>(means.weight[b * width_ + d]);
        sum += apart * apart / 2;
      }
  return sum > 0 ? sum / pairs / kLogOdds : 1;
}

LinearHeadWeights Prototypes::fit() const {
  const Means means = means_without(-1);
  return scale_.folded(means.weight, means.bias, temperature_);
}

}  // namespace graft
