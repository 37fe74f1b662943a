#pragma once

#include <memory>
#include <string>

#include "runtime/core/operator.h"
#include "runtime/ops/window.h"

namespace graft::cuda {

/// A convolution with what follows it, or one of its gradients, as a library computes it in one go.
struct ConvolutionProblem {
  enum class Kind { forward, gradient_of_input, gradient_of_weights };
  Kind kind = Kind::forward;
  DType dtype = DType::f32;
  Shape x, w, y;  // N×C×H×W, K×C/groups×R×S, N×K×Ho×Wo; all lie channels-last
  Window2d window;
  bool bias = false, residual = false;  // forward only
  Activation activation;
  std::string str() const;
};

class LibraryConvolution {
 public:
  virtual ~LibraryConvolution() = default;
  virtual size_t workspace_bytes() const = 0;
  struct Arguments {
    const void *first, *second;  // forward: x, w; of the input: dy, w; of the weights: x, dy
    const void *bias = nullptr, *residual = nullptr;
    void* result;
  };
  virtual void run(const Arguments& arguments, void* workspace) = 0;
};

/// Y = α·op(A)·op(B) (+ Y's residual) over row-major matrices, or a batch of them.
struct ProductProblem {
  DType dtype = DType::f32;
  int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;  // A lies K×M, B lies N×K
  int64_t a_row = 0, b_row = 0, y_row = 0;        // elements between rows as they lie
  int64_t batch = 1, a_step = 0, b_step = 0, y_step = 0;
  float alpha = 1;
  bool residual = false;
  std::string str() const;
};

class LibraryProduct {
 public:
  virtual ~LibraryProduct() = default;
  virtual size_t workspace_bytes() const = 0;
  /// `residual`: null without one; may be `y`.
  virtual void run(const void* a, const void* b, const void* residual, void* y, void* workspace) const = 0;
};

/// What the device's vendor multiplies and convolves with. Makers return null for what it has no way for, and throw
/// Error when it fails. Lives as long as what it made.
class Library {
 public:
  virtual ~Library() = default;
  virtual std::unique_ptr<LibraryConvolution> convolution(const ConvolutionProblem& problem) const = 0;
  virtual std::unique_ptr<LibraryProduct> product(const ProductProblem& problem) const = 0;
};

}  // namespace graft::cuda
