#pragma once

#include <memory>
#include <string>

#include "runtime/cuda/gpu/libraries.h"
#include "runtime/tensor.h"

namespace graft::cuda {

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

/// cuBLASLt's fastest way, measured once a shape.
class CublasProduct {
 public:
  /// Null where the library has no way. Throws Error when it fails.
  static std::unique_ptr<CublasProduct> make(const ProductProblem& problem, const Libraries& libraries);
  CublasProduct(const CublasProduct&) = delete;
  CublasProduct& operator=(const CublasProduct&) = delete;
  ~CublasProduct();
  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;
  /// `residual`: null without one; may be `y`.
  void run(const void* a, const void* b, const void* residual, void* y, void* workspace) const;

 private:
  CublasProduct(const ProductProblem& problem, const Libraries& libraries);
  bool choose();
  cublasStatus_t multiply(const cublasLtMatmulAlgo_t& algorithm, const void* a, const void* b, const void* residual, void* y, void* workspace) const;

  ProductProblem problem_;
  Libraries libraries_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t first_ = nullptr, second_ = nullptr, result_ = nullptr;
  cublasLtMatmulAlgo_t algorithm_{};
};

}  // namespace graft::cuda
