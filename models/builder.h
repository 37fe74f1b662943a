#pragma once

#include <string>

#include "runtime/core/graph.h"
#include "runtime/core/initialiser.h"
#include "runtime/ops/window.h"

namespace graft {

/// A convolution besides its outputs. Without `padding` of its own it keeps the picture's size (at stride 1).
struct ConvolutionOptions {
  Extent2d kernel{1, 1};
  int64_t stride = 1;
  int64_t groups = 1;
  bool bias = false;
  float bias_value = 0;
  bool valid = false;        // no padding at all
  Extent2d padding{-1, -1};  // -1: kernel / 2
};

/// Appends the layers that architectures are made of, with initialised parameters.
class NetworkBuilder {
 public:
  /// With `initialise` false, weights keep whatever memory holds: for counting and measuring only.
  explicit NetworkBuilder(uint64_t seed, bool initialise = true) : seed_(seed), initialise_(initialise) {}
  Graph& graph() { return graph_; }
  Graph take(ValueId output);
  /// With more outputs, for auxiliary heads.
  Graph take(const std::vector<ValueId>& outputs);

  Initialiser convolutions{Initialiser::Kind::he_fan_out, 0}, denses{Initialiser::Kind::gaussian, 0.01f};
  float epsilon = 1e-5f;  // of norms
  /// Parameters of norms have PyTorch's names (weight, running_mean, running_var), so that its weights carry over.
  bool torch_names = false;
  enum class Activation : uint8_t { none, relu, relu6, silu, gelu, hard_swish, hard_sigmoid, sigmoid };

  ValueId picture(int64_t channels, int64_t height, int64_t width);
  ValueId convolution(const std::string& name, ValueId x, int64_t out, const ConvolutionOptions& options);
  /// Square, padded by kernel / 2, without bias.
  ValueId convolution(const std::string& name, ValueId x, int64_t out, int64_t kernel, int64_t stride = 1) {
    return convolution(name, x, out, {.kernel = {kernel, kernel}, .stride = stride});
  }
  /// scale 1, bias 0, mean 0, variance 1
  ValueId batch_norm(const std::string& name, ValueId x);
  ValueId activation(const std::string& name, ValueId x, Activation kind);
  ValueId relu(const std::string& name, ValueId x);
  ValueId relu6(const std::string& name, ValueId x);
  ValueId tanh(const std::string& name, ValueId x);
  ValueId add(const std::string& name, ValueId a, ValueId b);
  ValueId multiply(const std::string& name, ValueId a, ValueId b);
  ValueId matrix_product(const std::string& name, ValueId a, ValueId b);
  ValueId softmax(const std::string& name, ValueId x);
  ValueId transpose(const std::string& name, ValueId x, const std::vector<int64_t>& permutation);
  /// 0 keeps an extent, -1 takes the rest.
  ValueId reshape(const std::string& name, ValueId x, const std::vector<int64_t>& target);
  /// Elements `first` to `last` along `axis`.
  ValueId slice(const std::string& name, ValueId x, int64_t axis, int64_t first, int64_t last);
  /// Over the last dimension; scale 1, bias 0.
  ValueId layer_norm(const std::string& name, ValueId x);
  /// A dense layer on the last dimension of …×C.
  ValueId linear(const std::string& name, ValueId x, int64_t out, bool bias = true);
  /// A parameter by itself, of one value or drawn from N(0, sigma).
  ValueId parameter(const std::string& name, const Shape& shape, float value);
  ValueId drawn_parameter(const std::string& name, const Shape& shape, float sigma);
  /// `x` (1×…) once for each picture of `pictures`, whose number is known when it runs.
  ValueId repeated_for_batch(const std::string& name, ValueId x, ValueId pictures);
  /// A number that is not learnt.
  ValueId number(const std::string& name, float value);
  ValueId concat(const std::string& name, std::vector<ValueId> parts);
  ValueId max_pool(const std::string& name, ValueId x, int64_t kernel, int64_t stride, int64_t padding = 0,
                   Rounding rounding = Rounding::floor);
  /// Padding does not count.
  ValueId average_pool(const std::string& name, ValueId x, int64_t kernel, int64_t stride, int64_t padding = 0);
  /// n = 5 channels, α = 1e-4, β = 0.75, as published; k as given [Krizhevsky et al. 2012: 2].
  ValueId response_norm(const std::string& name, ValueId x, float k = 2);
  ValueId dropout(const std::string& name, ValueId x, float ratio);
  ValueId flatten(const std::string& name, ValueId x);
  /// x times what two 1×1 convolutions, to `squeezed` channels and back, make of its mean [Hu et al. 2018].
  ValueId squeeze_excitation(const std::string& pool, const std::string& reduce, const std::string& expand, ValueId x,
                             int64_t squeezed, Activation inner, Activation gate);
  /// Mean over the picture, N×C.
  ValueId global_average(const std::string& name, ValueId x);
  ValueId dense(const std::string& name, ValueId x, int64_t out, float bias_value = 0);
  int64_t channels(ValueId x) const { return graph_.value(x).shape[1]; }
  const Shape& shape(ValueId x) const { return graph_.value(x).shape; }

 private:
  Tensor drawn(Shape shape, const Initialiser& initialiser);
  ValueId vector(const std::string& name, int64_t n, float value);
  Graph graph_;
  uint64_t seed_, tensors_ = 0;
  bool initialise_;
  uint32_t dropouts_ = 0;
};

}  // namespace graft
