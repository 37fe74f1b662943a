#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace graft {

/// A loss of one row of scores against its class. Value and slope come from one function, so they cannot disagree.
class Loss {
 public:
  virtual ~Loss() = default;
  /// Returns the loss of scores `f` for class `y` and adds dL/df to `grad` (same length, zero on entry).
  virtual double row(std::span<const float> f, int y, std::span<float> grad) const = 0;
};
using LossPtr = std::unique_ptr<Loss>;

struct LossOptions {
  float label_smoothing = 0;  // cross-entropy: ε spread evenly over all classes
  float margin = 1;           // hinge: Δ
};

/// By the name on the command line. Throws Error for an unknown one.
LossPtr make_loss(const std::string& name, const LossOptions& options);
std::vector<std::string> loss_names();

/// Mean loss of a batch, rows × classes. Rows whose label is negative count for nothing. Writes dL/dscores of that mean to
/// `grad`; returns the sum of the rows' losses. `weights` (one a class, or empty) scale rows, as PyTorch's `weight`: the mean
/// divides by the weights' sum. Throws Error when a score is NaN or infinite.
double batch_loss(const Loss& loss, std::span<const float> scores, std::span<const int> labels, std::span<const float> weights, std::span<float> grad);

LossPtr make_cross_entropy(float label_smoothing);
LossPtr make_multiclass_hinge(float margin);

}  // namespace graft
