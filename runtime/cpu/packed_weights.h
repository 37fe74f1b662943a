#pragma once

#include <functional>
#include <memory>
#include <new>

#include "runtime/core/backend.h"
#include "runtime/cpu/vector/tiles.h"

namespace graft::cpu {

/// Weights in the order a kernel wants: made once where they never change, and made anew in scratch memory at each run
/// where they do, so that training keeps no second copy of the parameters.
class PackedWeights {
 public:
  using Pack = std::function<void(const float* weights, float* packed)>;

  /// `elements`: floats that `pack` writes.
  PackedWeights(const Operand& weights, int64_t elements, Pack pack) : elements_(elements), pack_(std::move(pack)) {
    if (!weights.constant || weights.mutable_constant) return;
    kept_.reset(static_cast<float*>(::operator new(bytes(), kAlignment)));
    pack_(static_cast<const float*>(weights.constant->raw()), kept_.get());
  }
  /// Room that get() needs.
  size_t scratch_bytes() const { return kept_ ? 0 : (bytes() + 63) / 64 * 64; }
  const float* get(const void* weights, void* scratch) const {
    if (kept_) return kept_.get();
    pack_(static_cast<const float*>(weights), static_cast<float*>(scratch));
    return static_cast<const float*>(scratch);
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(float* p) const { ::operator delete(p, kAlignment); }
  };
  size_t bytes() const { return static_cast<size_t>(elements_) * sizeof(float); }
  int64_t elements_;
  Pack pack_;
  std::unique_ptr<float, Free> kept_;
};

/// The tail of a layer whose inputs are x, weights, bias and residual, the last two where there are any.
inline TileTail tail_of(const Epilogue& epilogue, bool has_bias, const KernelArguments& arguments) {
  const auto input = [&](bool is_there, size_t i) {
    return is_there ? static_cast<const float*>(arguments.inputs[i]) : nullptr;
  };
  return {input(has_bias, 2), input(epilogue.residual, 3), epilogue.activation};
}

}  // namespace graft::cpu
