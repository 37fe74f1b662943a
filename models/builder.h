#pragma once

#include <string>

#include "runtime/graph.h"
#include "runtime/base/random.h"

namespace graft {

/// Appends the layers that architectures are made of, with initialised parameters.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(uint64_t seed) : seed_(seed) {}
  Graph& graph() { return graph_; }
  Graph take(ValueId output);

  ValueId picture(int64_t channels, int64_t height, int64_t width);
  /// Weights ~ N(0, √(2/(k²·out)))  [He et al. 2015b, fan out]; no bias.
  ValueId convolution(const std::string& name, ValueId x, int64_t out, int64_t kernel, int64_t stride);
  /// scale 1, bias 0, mean 0, variance 1
  ValueId batch_norm(const std::string& name, ValueId x);
  ValueId relu(const std::string& name, ValueId x);
  ValueId add(const std::string& name, ValueId a, ValueId b);
  ValueId global_average(const std::string& name, ValueId x);
  /// Weights ~ N(0, 0.01), bias 0.
  ValueId dense(const std::string& name, ValueId x, int64_t out);
  int64_t channels(ValueId x) const { return graph_.value(x).shape[1]; }

 private:
  Tensor gaussian(Shape shape, float sigma);
  Graph graph_;
  uint64_t seed_, tensors_ = 0;
};

}  // namespace graft
