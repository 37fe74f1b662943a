#pragma once

#include <memory>
#include <string>

#include "runtime/cuda/gpu/libraries.h"
#include "runtime/cuda/library.h"

namespace graft::cuda {

/// cuBLASLt's fastest way, measured once a shape.
class CublasProduct final : public LibraryProduct {
 public:
  /// Null where the library has no way. Throws Error when it fails.
  static std::unique_ptr<CublasProduct> make(const ProductProblem& problem, const Libraries& libraries);
  CublasProduct(const CublasProduct&) = delete;
  CublasProduct& operator=(const CublasProduct&) = delete;
  ~CublasProduct() override;
  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;
  size_t workspace_bytes() const override { return kWorkspaceBytes; }
  void run(const void* a, const void* b, const void* residual, void* y, void* workspace) const override;

 private:
  CublasProduct(const ProductProblem& problem, const Libraries& libraries);
  bool choose();
  cublasStatus_t multiply(const cublasLtMatmulAlgo_t& algorithm, const void* a, const void* b, const void* residual,
                          void* y, void* workspace) const;

  ProductProblem problem_;
  Libraries libraries_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t first_ = nullptr, second_ = nullptr, result_ = nullptr;
  cublasLtMatmulAlgo_t algorithm_{};
};

}  // namespace graft::cuda
