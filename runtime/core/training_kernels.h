#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/component.h"
#include "runtime/core/picture_bytes.h"

namespace graft {

// What a training needs beside the kernels of operators. All addresses below are where the kernels work: on the
// backend's device, or in the program's memory. Nothing they point to is owned, all of it is float32, and it outlives
// the object it is given to. Where there is a device, calls queue work on its compute stream and return; they may be
// captured unless they say otherwise.

/// A trained parameter and what belongs to it.
struct ParameterView {
  float* weights = nullptr;
  float* gradient = nullptr;
  std::array<float*, 3> slots{};  // what the rule remembers; null where it has fewer
  int64_t count = 0;              // of weights and gradient
  float lr_scale = 1, weight_decay = 0, l1 = 0;
  int64_t rows = 0;  // of a matrix, its first dimension; 0: a vector
};

/// An update rule over a list of parameters, in as few kernels as it takes.
class FusedOptimizer {
 public:
  virtual ~FusedOptimizer() = default;
  /// Uploads what sets this update apart from others. `step` counts from 1. Not captured. Between two calls the device
  /// must have been synchronised with, so that what the first uploaded has arrived.
  virtual void prepare(float lr, int64_t step) = 0;
  /// Updates weights and slots; in a captured graph, as was prepared before each replay. Where `enabled` is given and
  /// holds 0 when the kernels run, nothing changes.
  virtual void apply(const int* enabled = nullptr) = 0;
  /// Updates one parameter, whose gradient may then be overwritten; each takes part once a step. Only where kernels
  /// work in the program's memory: a device keeps its gradients until a pass is over, and throws Error.
  virtual void apply_one(size_t /*parameter*/) {
    throw Error("a device updates all parameters at once", {}, ErrorCode::internal);
  }
};

/// Operations on lists of tensors, one kernel a list, as PyTorch's foreach functions. Each list has the same tensors'
/// sizes, and is treated as one vector where norms are taken.
class MultiTensor {
 public:
  virtual ~MultiTensor() = default;
  /// A list of tensors, and a list of one number for each tensor. Not captured.
  enum class List : int {};
  enum class Factors : int {};
  virtual List add_list(const std::vector<float*>& addresses) = 0;
  virtual Factors add_factors(const std::vector<float>& values) = 0;

  /// to ← from
  virtual void copy(List to, List from) = 0;
  /// x ← factor·x
  virtual void scale(List x, float factor) = 0;
  /// x ← factor·x; the flag is from then on whether all of x was finite.
  virtual void unscale(List x, float factor) = 0;
  /// sum ← factor·x, added to the sum unless `first`
  virtual void add(List sum, List x, float factor, bool first) = 0;
  /// to ← keep·to + take·from, with a factor for each tensor
  virtual void blend(List to, List from, Factors keep, Factors take) = 0;
  /// a ← a + weight·(x - a), where the flag is set
  virtual void lerp(List a, List x, float weight) = 0;
  /// Each element is clipped to ±limit.
  virtual void clip_by_value(List x, float limit) = 0;
  /// x ← x·min(1, limit/(‖x‖ + 10⁻⁶))
  virtual void clip_by_norm(List x, double limit) = 0;
  /// w ← w + ρ·g/(‖g‖ + 10⁻¹²), where the flag is set
  virtual void perturb(List w, List g, double rho) = 0;

  /// Where the kernels find the flag: 0 after unscale() met a number that is not finite, else 1.
  virtual const int* finite_flag() const = 0;
  /// Queues the flag's download; was_finite() returns it once the device is synchronised.
  virtual void download_flag() = 0;
  virtual bool was_finite() const = 0;
};

/// A batch of scores, rows × outputs in row-major order, and what they are held against.
struct LossBatch {
  const float* scores = nullptr;
  const int* labels = nullptr;     // negative: the row counts for nothing
  const float* rows = nullptr;     // targets of several numbers, rows × outputs, or null
  const float* teacher = nullptr;  // another network's scores, rows × outputs, or null
  const float* weights = nullptr;  // of the rows, beside those of their classes; null: all 1
  float* slopes = nullptr;         // dL/dscores of the batch's mean, times `scale`
  float scale = 1;
};

/// A loss with its gradient over a batch.
class LossKernel {
 public:
  virtual ~LossKernel() = default;
  /// Sums over the rows that count: of their losses, and of what they weigh in the mean.
  struct Sums {
    double loss = 0, weight = 0;
    bool finite = true;  // false where a score is NaN or infinite; the other numbers mean nothing then
  };
  /// Computes loss and slopes. Where `keep` is set, sums() returns this batch's sums once the device is synchronised.
  /// The processor throws Error at once where scores are not finite.
  virtual void compute(const LossBatch& batch, bool keep) = 0;
  virtual Sums sums() const = 0;
};

/// Makes them for one device. Lives as long as its backend, and outlives what it makes.
class TrainingKernels {
 public:
  virtual ~TrainingKernels() = default;
  /// Whether make_optimizer knows the rule.
  virtual bool has_optimizer(const std::string& name) const = 0;
  /// Throws Error for a rule that it does not know, and for settings that the rule does not have.
  virtual std::unique_ptr<FusedOptimizer> make_optimizer(const Choice& optimizer,
                                                         const std::vector<ParameterView>& parameters) const = 0;
  /// `counts`: elements of each tensor of a list.
  virtual std::unique_ptr<MultiTensor> make_multi_tensor(const std::vector<int64_t>& counts) const = 0;
  /// Whether make_loss knows the loss.
  virtual bool has_loss(const std::string& name) const = 0;
  /// Throws Error for a loss that it does not know. `class_weights`: one an output, or empty.
  virtual std::unique_ptr<LossKernel> make_loss(const Choice& loss, const std::vector<float>& class_weights,
                                                int64_t rows, int64_t outputs) const = 0;
  /// Flips pictures and makes numbers of their bytes: to[picture][y][x][c], as many as there are bytes.
  virtual void normalise(const PictureBytes& pictures, float* to) const = 0;
};

}  // namespace graft
