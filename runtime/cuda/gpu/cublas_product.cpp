#include "runtime/cuda/gpu/cublas_product.h"

#include <cuda_runtime_api.h>

#include <array>
#include <cstring>
#include <limits>
#include <sstream>

#include "runtime/cuda/gpu/check.h"
#include "runtime/cuda/gpu/timer.h"

namespace graft::cuda {
namespace {

constexpr int kCandidates = 8, kTimedRuns = 5;

cudaDataType_t type_of(DType dtype) {
  return dtype == DType::f16 ? CUDA_R_16F : dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

/// A row-major matrix is the transposed one in cuBLAS's column-major order.
cublasLtMatrixLayout_t layout(DType dtype, int64_t rows, int64_t columns, int64_t row, int64_t batch, int64_t step) {
  cublasLtMatrixLayout_t made = nullptr;
  check(cublasLtMatrixLayoutCreate(&made, type_of(dtype), static_cast<uint64_t>(columns), static_cast<uint64_t>(rows),
                                   row),
        "describing a matrix");
  if (batch > 1) {
    const auto count = static_cast<int32_t>(batch);
    check(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
          "describing a batch");
    check(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step),
          "describing a batch");
  }
  return made;
}

/// An algorithm is a few words that cuBLASLt lets one copy and keep.
std::string text_of(const cublasLtMatmulAlgo_t& algorithm) {
  std::ostringstream text;
  text << std::hex;
  for (const uint64_t word : algorithm.data) text << word << ' ';
  return text.str();
}

cublasLtMatmulAlgo_t algorithm_of(const std::string& text) {
  cublasLtMatmulAlgo_t algorithm{};
  std::istringstream stream(text);
  stream >> std::hex;
  for (uint64_t& word : algorithm.data) stream >> word;
  return algorithm;
}

class Preference {
 public:
  explicit Preference(size_t workspace) {
    check(cublasLtMatmulPreferenceCreate(&preference_), "asking for an algorithm");
    check(cublasLtMatmulPreferenceSetAttribute(preference_, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                               sizeof workspace),
          "asking for an algorithm");
  }
  ~Preference() { (void)cublasLtMatmulPreferenceDestroy(preference_); }
  Preference(const Preference&) = delete;
  Preference& operator=(const Preference&) = delete;
  cublasLtMatmulPreference_t get() const { return preference_; }

 private:
  cublasLtMatmulPreference_t preference_ = nullptr;
};

}  // namespace

CublasProduct::CublasProduct(const ProductProblem& p, const Libraries& libraries) : problem_(p), libraries_(libraries) {
  const bool tf32 = p.dtype == DType::f32 && libraries.arithmetic == Arithmetic::tf32;
  check(cublasLtMatmulDescCreate(&operation_, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
        "describing a product");
  // Yᵀ = op(B)ᵀ·op(A)ᵀ
  const cublasOperation_t first = p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                          second = p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  check(cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first),
        "describing a product");
  check(cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second),
        "describing a product");
  first_ = layout(p.dtype, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, p.b_row, p.batch, p.b_step);
  second_ = layout(p.dtype, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p.a_row, p.batch, p.a_step);
  result_ = layout(p.dtype, p.m, p.n, p.y_row, p.batch, p.y_step);
}

CublasProduct::~CublasProduct() {
  for (const cublasLtMatrixLayout_t l : {first_, second_, result_})
    if (l) (void)cublasLtMatrixLayoutDestroy(l);
  if (operation_) (void)cublasLtMatmulDescDestroy(operation_);
}

cublasStatus_t CublasProduct::multiply(const cublasLtMatmulAlgo_t& algorithm, const void* a, const void* b,
                                       const void* residual, void* y, void* workspace) const {
  const float beta = residual ? 1.0f : 0.0f;
  return cublasLtMatmul(libraries_.cublas, operation_, &problem_.alpha, b, first_, a, second_, &beta,
                        residual ? residual : y, result_, y, result_, &algorithm, workspace, kWorkspaceBytes,
                        libraries_.stream());
}

void CublasProduct::run(const void* a, const void* b, const void* residual, void* y, void* workspace) const {
  check(multiply(algorithm_, a, b, residual, y, workspace), "multiplying");
}

bool CublasProduct::choose() {
  const std::string key = problem_.str() + (libraries_.arithmetic == Arithmetic::tf32 ? " tf32" : " fp32");
  if (const auto known = libraries_.choices->find(key)) {
    algorithm_ = algorithm_of(*known);
    cublasLtMatmulHeuristicResult_t result{};
    const auto status =
        cublasLtMatmulAlgoCheck(libraries_.cublas, operation_, first_, second_, result_, result_, &algorithm_, &result);
    if (status == CUBLAS_STATUS_SUCCESS && result.workspaceSize <= kWorkspaceBytes) return true;
  }
  std::array<cublasLtMatmulHeuristicResult_t, kCandidates> candidates{};
  int found = 0;
  const Preference preference(kWorkspaceBytes);
  if (cublasLtMatmulAlgoGetHeuristic(libraries_.cublas, operation_, first_, second_, result_, result_, preference.get(),
                                     kCandidates, candidates.data(), &found) != CUBLAS_STATUS_SUCCESS)
    return false;

  const ProductProblem& p = problem_;
  const auto bytes = [&](int64_t rows, int64_t row, int64_t step) {
    return static_cast<size_t>(rows * row + (p.batch - 1) * step) * size_of(p.dtype);
  };
  const size_t a_bytes = bytes(p.transpose_a ? p.k : p.m, p.a_row, p.a_step),
               b_bytes = bytes(p.transpose_b ? p.n : p.k, p.b_row, p.b_step), y_bytes = bytes(p.m, p.y_row, p.y_step);
  const Device& device = *libraries_.device;
  const DeviceBuffer a(device, a_bytes), b(device, b_bytes), y(device, y_bytes), workspace(device, kWorkspaceBytes);
  const cudaStream_t stream = libraries_.stream();
  check(cudaMemsetAsync(a.data(), 0x3c, a_bytes, stream), "filling a matrix");  // small numbers in every type
  check(cudaMemsetAsync(b.data(), 0x3c, b_bytes, stream), "filling a matrix");
  check(cudaMemsetAsync(y.data(), 0x3c, y_bytes, stream), "filling a matrix");
  Timer timer(stream);
  float least = std::numeric_limits<float>::infinity();
  bool any = false;
  for (int i = 0; i < found; ++i) {
    const auto& candidate = candidates[static_cast<size_t>(i)];
    if (candidate.state != CUBLAS_STATUS_SUCCESS) continue;
    const auto once = [&] {
      return multiply(candidate.algo, a.data(), b.data(), p.residual ? y.data() : nullptr, y.data(), workspace.data());
    };
    if (once() != CUBLAS_STATUS_SUCCESS) continue;
    timer.start();
    for (int k = 0; k < kTimedRuns; ++k) (void)once();
    const float milliseconds = timer.stop();
    if (milliseconds >= least) continue;
    least = milliseconds;
    algorithm_ = candidate.algo;
    any = true;
  }
  if (any) libraries_.choices->keep(key, text_of(algorithm_));
  return any;
}

std::unique_ptr<CublasProduct> CublasProduct::make(const ProductProblem& problem, const Libraries& libraries) {
  std::unique_ptr<CublasProduct> product(new CublasProduct(problem, libraries));
  if (!product->choose()) return nullptr;
  return product;
}

}  // namespace graft::cuda
