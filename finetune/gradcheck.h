#pragma once

#include <string>
#include <vector>

#include "runtime/graph.h"
#include "runtime/passes/passes.h"

namespace graft {

struct GradientCheck {
  std::string parameter;
  double analytic = 0, numerical = 0, relative_error = 0;
};

/// Compares, for each trainable value of `graph`, the slope of L = Σ r·output over all outputs along a random direction d: analytic ⟨∂L/∂w, d⟩
/// against the central difference (L(w+εd) - L(w-εd))/2ε, the best of several ε. r and the input are random, by `seed`; sums are in
/// double. Batch norms follow their trainable marks. Parameters are as before when it returns.
std::vector<GradientCheck> check_gradients(const Graph& graph, const OpenDims& dims, const Backend& backend, uint64_t seed, int threads = 0);

}  // namespace graft
