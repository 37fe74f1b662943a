#pragma once

#include <cstdint>

namespace graft::cpu {

/// What one row of dL/dy and one row of x add to one row of a depthwise convolution's weight gradient, channels-last:
/// sums[s][c] += Σ dy[column][c]·x[column·stride - padding + s·dilation][c] over the columns for which that lies in x.
struct DepthwiseWeightRow {
  int64_t channels, width, columns;  // of pixels in a row of x, and of dy
  int64_t taps, stride, dilation, padding;
  const float *x, *dy;
  float* sums;  // taps × channels
};

struct DepthwiseLoops {
  void (*weight_row)(const DepthwiseWeightRow&);
};

/// For this processor.
const DepthwiseLoops& depthwise_loops();

namespace baseline {
const DepthwiseLoops& depthwise_loops();
}
namespace avx2 {
const DepthwiseLoops& depthwise_loops();
}
namespace avx512 {
const DepthwiseLoops& depthwise_loops();
}

}  // namespace graft::cpu
