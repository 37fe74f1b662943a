#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/core/graph.h"
#include "runtime/passes/passes.h"

namespace graft {

struct GradientCheck {
  std::string parameter;
  double analytic = 0, numerical = 0, relative_error = 0;
};

/// Errors of single slopes of one parameter.
struct GradientErrors {
  std::string parameter;
  std::vector<int64_t> rows, columns;  // which outputs, and which of what is below each (inputs × taps), evenly spread
  std::vector<double> error;  // rows × columns: |numerical - analytic| over the largest analytic slope of the parameter
};

/// Compares analytic with numerical slopes of L = Σ r·output over all outputs, for trainable values of a graph. r and
/// the input are random, by `seed`; all sums over tensors are in double. Batch norms follow their trainable marks.
/// Parameters are as before after each call.
class GradientChecker {
 public:
  GradientChecker(const Graph& graph, const OpenDims& dims, const Backend& backend, uint64_t seed, int threads = 0);
  ~GradientChecker();

  /// For each parameter along a random direction d: analytic ⟨∂L/∂w, d⟩ against the central difference (L(w+εd) -
  /// L(w-εd))/2ε, the best of several ε.
  std::vector<GradientCheck> check();
  /// Element by element for at most `side`² of them, each with the best of several ε. Throws Error for a name that is
  /// not trained.
  GradientErrors check_elements(const std::string& parameter, int64_t side = 16);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace graft
