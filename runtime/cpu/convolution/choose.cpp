#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"

namespace graft::cpu {
namespace {

template <typename Op>
using Maker = std::unique_ptr<Kernel> (*)(const Op&, const KernelRequest&);

/// The first of `makers` that serves the shape.
template <typename Op>
std::unique_ptr<Kernel> first_that_serves(const Op& op, const KernelRequest& request, std::initializer_list<Maker<Op>> makers) {
  require_f32(request);
  return guarded([&]() -> std::unique_ptr<Kernel> {
    for (const Maker<Op> make : makers)
      if (auto kernel = make(op, request)) return kernel;
    return nullptr;
  });
}

std::unique_ptr<Kernel> forward(const Convolution& op, const KernelRequest& request) {
  return first_that_serves<Convolution>(op, request, {winograd_forward, pointwise_forward, library_forward});
}

std::unique_ptr<Kernel> backward_data(const ConvolutionBackwardData& op, const KernelRequest& request) {
  return first_that_serves<ConvolutionBackwardData>(op, request, {winograd_backward_data, pointwise_backward_data, library_backward_data});
}

std::unique_ptr<Kernel> backward_weights(const ConvolutionBackwardWeights& op, const KernelRequest& request) {
  return first_that_serves<ConvolutionBackwardWeights>(op, request, {winograd_backward_weights, product_backward_weights, library_backward_weights});
}

}  // namespace

void register_convolution(KernelTable& table) {
  table.add<Convolution>(forward);
  table.add<ConvolutionBackwardData>(backward_data);
  table.add<ConvolutionBackwardWeights>(backward_weights);
}

}  // namespace graft::cpu
