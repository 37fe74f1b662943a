#pragma once

#include <memory>
#include <vector>

#include "runtime/core/backend.h"

namespace graft {

/// What happens to gradients and weights beside the update, on a device: clipping, sums over batches, averages, steps
/// towards sharpness. Lists of tensors of the same sizes are treated as one vector each. Everything is queued; nothing
/// waits.
class DeviceVectors {
 public:
  virtual ~DeviceVectors() = default;
  /// Where the device keeps the tensors of one list, in the order of `counts`. Not owned. The handle stands for it
  /// below.
  using List = int;
  virtual List list(const std::vector<float*>& addresses) = 0;
  /// One number a tensor.
  using Factors = int;
  virtual Factors factors(const std::vector<float>& values) = 0;
  /// to ← from
  virtual void copy(List to, List from) = 0;
  /// x ← factor·x; the flag says from then on whether all of x was finite.
  virtual void unscale(List x, float factor) = 0;
  /// x ← factor·x
  virtual void scale(List x, float factor) = 0;
  /// sum ← factor·x, plus what was there unless `first`
  virtual void add(List sum, List x, float factor, bool first) = 0;
  /// to ← keep·to + take·from, with factors for each tensor
  virtual void blend(List to, List from, Factors keep, Factors take) = 0;
  /// Each element is cut to ±limit.
  virtual void clip_values(List x, float limit) = 0;
  /// x ← x·min(1, limit/(‖x‖ + 10⁻⁶))
  virtual void clip_norm(List x, double limit) = 0;
  /// w ← w + ρ·g/‖g‖, where the flag stands
  virtual void perturb(List w, List g, double rho) = 0;
  /// a ← a + (1 - decay)·(w - a), where the flag stands
  virtual void average(List a, List w, float decay) = 0;
  /// On the device: 0 after unscale() met a number that is not finite, else 1.
  virtual const int* flag() const = 0;
  /// Queues the flag's way back; it is known after the next wait().
  virtual void ask() = 0;
  virtual bool flag_stands() const = 0;
};

/// The extension "vectors" of a backend.
class DeviceVectorsExtension : public BackendExtension {
 public:
  static constexpr const char* kName = "vectors";
  /// `counts`: elements of each tensor of a list.
  virtual std::unique_ptr<DeviceVectors> make(const std::vector<int64_t>& counts) const = 0;
};

}  // namespace graft
