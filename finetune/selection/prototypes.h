#pragma once

#include "finetune/selection/linear_candidate.h"

namespace graft {

/// Each class by the mean of its pictures, a picture's class by the nearest mean: f_c = ⟨x, μ_c⟩ - ‖μ_c‖²/2 on features
/// that are standardised halfway. For classes of few pictures, which hold too little to fit weights to. [Snell et al.
/// 2017, "Prototypical networks", §2.4]
class Prototypes final : public LinearCandidate {
 public:
  /// Where no picture can be scored, the temperature is a guess, under which a class's mean is of its class by odds of
  /// e³ to 1 against a class whose mean is as far away as two classes' are on average. `judges` tells.
  Prototypes(const FeatureMatrix& features, const ClassTargets& targets);
  const std::vector<float>& scores() const override { return scores_; }
  double temperature() const override { return temperature_; }
  bool judges() const { return judges_; }
  LinearHeadWeights fit() const override;

 private:
  struct Means {
    std::vector<float> weight, bias;
  };
  Means means_without(int fold) const;
  double guessed_temperature() const;

  ClassTargets targets_;
  size_t width_;
  HalfwayScale scale_;
  std::vector<float> standardised_;
  std::vector<float> scores_;
  double temperature_ = 1;
  bool judges_ = true;
};

}  // namespace graft
