#pragma once

#include <span>
#include <vector>

namespace graft {

/// A temperature, and what it is worth on pictures that it was not fitted on: each of five parts of the held-back
/// pictures is judged with the temperature of the other four.
struct TemperatureFit {
  double temperature = 1;                    // of all held-back pictures where it is worth it, else 1
  double error_before = 0, error_after = 0;  // expected calibration error, 0 to 1
  double loss_before = 0, loss_after = 0;    // nats
  bool kept = false;     // the error got less, and the loss did so beyond two standard errors; needs 20 pictures
  bool guesses = false;  // a temperature beyond all sense would be best: the scores tell nothing of these pictures
  static constexpr size_t kFewest = 20;  // pictures
};

/// Temperature scaling [Guo et al. 2017] of `scores` (logits, pictures × classes) that the network gives pictures which
/// it was not trained on.
TemperatureFit fit_temperature(std::span<const float> scores, std::span<const int> labels, size_t classes);

/// Thresholds of several labels, and what they are worth, told in the same way.
struct ThresholdFit {
  std::vector<float> thresholds{};     // probabilities, one a label; 0.5 where another one is not worth it
  double f1_before = 0, f1_after = 0;  // mean over the labels that occur: all at 0.5; those that are kept
  size_t kept = 0;                     // labels with a threshold of their own
};

/// The thresholds of the largest F1 of each label that is marked five times or more; kept where 95 % of resampled sets
/// of pictures that they were not fitted on gain by them. `scores`: logits, `marks`: 0 and 1, both pictures × labels.
ThresholdFit fit_thresholds(std::span<const float> scores, std::span<const float> marks, size_t labels);

}  // namespace graft
