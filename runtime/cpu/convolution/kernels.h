#pragma once

#include <memory>

#include "runtime/core/backend.h"
#include "runtime/ops/convolution.h"

namespace graft::cpu {

// One function for each way to compute a convolution or one of its gradients. Those that serve only some shapes return
// null for the others, and for those where they would not be the fastest; oneDNN's serve all.

/// 1×1 without padding, as one product over all pixels (pointwise.cpp).
std::unique_ptr<Kernel> pointwise_forward(const Convolution& op, const KernelRequest& request);
std::unique_ptr<Kernel> pointwise_backward_data(const ConvolutionBackwardData& op, const KernelRequest& request);

/// Any ungrouped convolution with whole vectors of channels, on matrix units (split_convolution.cpp,
/// split_weights.cpp).
std::unique_ptr<Kernel> split_forward(const Convolution& op, const KernelRequest& request);
std::unique_ptr<Kernel> split_backward_data(const ConvolutionBackwardData& op, const KernelRequest& request);
std::unique_ptr<Kernel> split_backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request);

/// 3×3, stride 1, by Winograd's F(4×4, 3×3) (winograd.cpp, winograd_weights.cpp).
std::unique_ptr<Kernel> winograd_forward(const Convolution& op, const KernelRequest& request);
std::unique_ptr<Kernel> winograd_backward_data(const ConvolutionBackwardData& op, const KernelRequest& request);
std::unique_ptr<Kernel> winograd_backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request);

/// Any ungrouped convolution with whole vectors of channels, as a product over pixels and taps (weight_product.cpp).
std::unique_ptr<Kernel> product_backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request);

/// One channel a group (depthwise_weights.cpp).
std::unique_ptr<Kernel> depthwise_backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request);

/// oneDNN's direct kernels (library.cpp).
std::unique_ptr<Kernel> library_forward(const Convolution& op, const KernelRequest& request);
std::unique_ptr<Kernel> library_backward_data(const ConvolutionBackwardData& op, const KernelRequest& request);
std::unique_ptr<Kernel> library_backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request);

/// The last of these on parts of the batch, so that sums do not depend on the number of threads
/// (weights_in_pieces.cpp).
std::unique_ptr<Kernel> weights_in_pieces(const ConvolutionBackwardWeights& op, const KernelRequest& request);

/// dL/db: db[c] = Σ over pixels of dy[pixel][c], for channels-last dy (bias_gradient.cpp).
void bias_gradient(const float* dy, int64_t pixels, int64_t channels, float* db);

}  // namespace graft::cpu
