#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/component.h"
#include "runtime/core/host_device.h"

namespace graft {

/// What one row of scores is held against: a class, or a number for each score (a distribution, marks of 0 and 1,
/// measured values).
struct Target {
  int label = -1;
  std::span<const float> row{};      // empty: 1 at `label`, 0 elsewhere
  std::span<const float> teacher{};  // distillation: another network's scores for the same picture
  GRAFT_DEVICE double at(size_t k) const {
    return row.empty() ? (static_cast<int>(k) == label ? 1.0 : 0.0) : static_cast<double>(row[k]);
  }
};

/// A loss of one row of scores against its target. Value and slope come from one function, so they cannot disagree.
/// Stable for scores up to ±1e4.
class Loss {
 public:
  virtual ~Loss() = default;
  /// Returns the loss of scores `f` and adds dL/df to `grad` (same length, zero on entry).
  virtual double row(std::span<const float> f, const Target& y, std::span<float> grad) const = 0;
  /// False where the loss is defined for class labels only, so that mixed or several labels make no sense.
  virtual bool takes_rows() const { return true; }
  /// True where each score is a yes or no of its own (several labels a picture), or a measured value.
  virtual bool is_element_wise() const { return false; }
  virtual bool needs_teacher() const { return false; }
};
using LossPtr = std::unique_ptr<Loss>;

/// By its name and what is set of it. Throws Error for an unknown one.
LossPtr make_loss(const Choice& loss);
/// Every loss, in alphabetical order.
const std::vector<ComponentInfo>& loss_components();
std::vector<std::string> loss_names();

/// The targets of a batch. Where `rows` is not empty it holds batch × outputs numbers and labels only say which rows
/// count (>= 0).
struct Targets {
  std::span<const int> labels;
  std::span<const float> rows{};
  std::span<const float> teacher{};  // batch × outputs, for losses that need one
  std::span<const float> weights{};  // of the rows; empty: all 1
};

enum class Reduction { mean, sum };

/// The loss of a batch, rows × outputs. Rows whose label is negative count for nothing. Writes dL/dscores of the
/// batch's mean (or sum) to `grad` and, where given, each row's own loss to `values`; returns the sum of the rows'
/// losses. `class_weights` (one a class, or empty) scale rows, as PyTorch's `weight`: the mean divides by the weights'
/// sum; a row of several classes weighs what its target says on average. The rows' own weights multiply these. Throws
/// Error when a score is NaN or infinite.
double batch_loss(const Loss& loss, std::span<const float> scores, const Targets& targets,
                  std::span<const float> class_weights, std::span<float> grad, Reduction reduction = Reduction::mean,
                  std::span<float> values = {});

/// What row `i` of a batch weighs in batch_loss's mean.
double row_weight(const Targets& targets, size_t i, std::span<const float> class_weights);

/// t = (1-ε)·target + ε/K.  [Szegedy et al. 2015, §7]
GRAFT_DEVICE inline double smoothed(const Target& y, size_t k, size_t classes, double epsilon) {
  return (1 - epsilon) * y.at(k) + epsilon / static_cast<double>(classes);
}

}  // namespace graft
