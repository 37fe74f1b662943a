#pragma once

#include "runtime/core/random.h"
#include "runtime/core/tensor.h"

namespace graft {

/// How weights begin. `fan_in` and `fan_out`: inputs and outputs that a weight's kernel connects, times its taps.
struct Initialiser {
  enum class Kind : uint8_t {
    gaussian,    // N(0, σ)
    he_fan_out,  // N(0, √(2/fan_out)) [He et al. 2015]
    he_fan_in,   // N(0, √(2/fan_in))
    xavier,      // uniform in ±√(6/(fan_in + fan_out)) [Glorot & Bengio 2010]
    lecun        // uniform in ±2.4/fan_in [LeCun et al. 1998]
  };
  Kind kind = Kind::he_fan_out;
  float sigma = 0.01f;
};

/// Weights of the given shape (outputs × inputs [× taps]), float32.
Tensor drawn_weights(Shape shape, const Initialiser& initialiser, Random random);

}  // namespace graft
