#include <algorithm>
#include <vector>

#include "runtime/core/parallel.h"
#include "runtime/cpu/convolution/kernels.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {
namespace {

constexpr int64_t kChannels = 64, kPixels = 256;  // sums of this many pixels in float, sums of those in double

}  // namespace

void bias_gradient(const float* dy, int64_t pixels, int64_t channels, float* db) {
  const VectorLoops& loops = vector_loops();
  parallel_for((channels + kChannels - 1) / kChannels, 1, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t c0 = block * kChannels, n = std::min(kChannels, channels - c0);
      double total[kChannels] = {};
      for (int64_t p0 = 0; p0 < pixels; p0 += kPixels) {
        float sum[kChannels] = {};
        for (int64_t p = p0; p < std::min(pixels, p0 + kPixels); ++p)
          loops.add_scaled(n, dy + p * channels + c0, 1.0f, sum);
        for (int64_t c = 0; c < n; ++c) total[c] += static_cast<double>(sum[c]);
      }
      for (int64_t c = 0; c < n; ++c) db[c0 + c] = static_cast<float>(total[c]);
    }
  });
}

}  // namespace graft::cpu
