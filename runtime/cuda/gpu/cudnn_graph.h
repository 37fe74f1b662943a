#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/cuda/gpu/libraries.h"
#include "runtime/operator.h"
#include "runtime/ops/window.h"

namespace graft::cuda {

/// What cuDNN computes in one go.
struct ConvolutionProblem {
  enum class Kind { forward, gradient_of_input, gradient_of_weights };
  Kind kind = Kind::forward;
  DType dtype = DType::f32;
  Shape x, w, y;  // N×C×H×W, K×C/groups×R×S, N×K×Ho×Wo; all lie channels-last
  Window2d window;
  bool bias = false, residual = false;  // forward only
  Activation activation;
  /// For Choices.
  std::string str() const;
};

/// One convolution, or one of its gradients, as a graph of cuDNN's, with the fastest engine that it has for the shape.
class CudnnConvolution {
 public:
  /// Null where cuDNN has no engine for it. Measures the candidates where Choices knows none. Throws Error when the library fails.
  static std::unique_ptr<CudnnConvolution> make(const ConvolutionProblem& problem, const Libraries& libraries);
  virtual ~CudnnConvolution() = default;
  virtual size_t workspace_bytes() const = 0;
  struct Arguments {
    const void *first, *second;        // forward: x, w; of the input: dy, w; of the weights: x, dy
    const void *bias = nullptr, *residual = nullptr;
    void* result;
  };
  virtual void run(const Arguments& arguments, void* workspace) = 0;
};

}  // namespace graft::cuda
