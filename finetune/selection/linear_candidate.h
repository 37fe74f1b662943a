#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "finetune/selection/held_out.h"

namespace graft {

/// Features of pictures, each picture in one or several views.
class FeatureMatrix {
 public:
  /// Appends a view, pictures × width. The first is the plain one, which is scored; all have the same pictures.
  void append(std::span<const float> view, size_t width);
  /// Numbers of each layer whose features these are, one behind the other; empty: of one.
  std::vector<size_t> parts{};
  size_t pictures() const { return pictures_; }
  size_t rows() const { return width_ == 0 ? 0 : values_.size() / width_; }
  size_t width() const { return width_; }
  const float* row(size_t i) const { return values_.data() + i * width_; }

 private:
  size_t pictures_ = 0, width_ = 0;
  std::vector<float> values_;  // rows × width; row i is of picture i % pictures
};

/// What the pictures of a FeatureMatrix are to be told apart by.
struct ClassTargets {
  int classes = 2;
  std::vector<int> labels;      // of each picture
  std::vector<int> fold;        // of each picture; -1: trains in every fold and is never scored
  int folds = 5;                // at least 2
  std::vector<double> weights;  // of each picture; empty: all 1
  double weight(size_t picture) const { return weights.empty() ? 1 : weights[picture]; }
};

/// A linear head for features as they are.
struct LinearHeadWeights {
  std::vector<float> weight;  // classes × width
  std::vector<float> bias;    // classes
};

/// A way to find a linear head, judged by pictures that it has not seen.
class LinearCandidate {
 public:
  virtual ~LinearCandidate() = default;
  /// Scores out of fold at the temperature, pictures × classes; 0 where a picture is never scored.
  virtual const std::vector<float>& scores() const = 0;
  /// What makes the probabilities out of fold most likely.
  virtual double temperature() const = 0;
  /// Of all pictures; the temperature is folded into the weights.
  virtual LinearHeadWeights fit() const = 0;
  /// The penalty that was chosen; 0 where there is none.
  virtual double penalty() const { return 0; }
};

/// What a candidate's scores out of fold say of the pictures of one fold, or of all (-1).
HeldOut judged(const LinearCandidate& candidate, const ClassTargets& targets, int fold = -1);

/// What a head makes of features: rows × classes.
std::vector<float> scores_of(const LinearHeadWeights& head, std::span<const float> features);

/// Mean and scale that standardise features halfway: (x - mean)·scale with scale = 1/√(σ·s), s being the root mean
/// square of all σ. A penalty on weights then neither follows the features' own scales alone nor blows up those that
/// hardly vary; a scale of 0 leaves a feature out that never does. Each part of the features is standardised by itself,
/// and all vary as much in sum as the first, so that wide or loud layers do not drown others.
struct HalfwayScale {
  std::vector<float> mean, scale;
  explicit HalfwayScale(const FeatureMatrix& features);
  /// rows × width, standardised.
  std::vector<float> apply(const FeatureMatrix& features) const;
  /// The head for features as they are that does what this one does on standardised ones, divided by `temperature`.
  LinearHeadWeights folded(std::span<const float> weight, std::span<const float> bias, double temperature) const;
};

}  // namespace graft
