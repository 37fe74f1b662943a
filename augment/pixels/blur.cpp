#include "augment/pixels/blur.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "augment/pixels/resample.h"

namespace graft {
namespace {

/// Of 2·reach + 1 taps around each of `outputs` places.
ResampleWeights gaussian(double sigma, int64_t reach, int64_t outputs) {
  std::vector<double> exact;
  double sum = 0;
  for (int64_t i = -reach; i <= reach; ++i) {
    exact.push_back(std::exp(-static_cast<double>(i * i) / (2 * sigma * sigma)));
    sum += exact.back();
  }
  ResampleWeights weights;
  weights.taps = 2 * reach + 1;
  for (int64_t o = 0; o < outputs; ++o) {
    weights.first.push_back(o);
    weights.count.push_back(weights.taps);
    for (const double v : exact)
      weights.values.push_back(static_cast<int32_t>(std::lround(v / sum * (1 << ResampleWeights::kPrecisionBits))));
  }
  return weights;
}

/// The pixel that stands at a place beyond the border, of `extent` pixels; again from the other side where the mirror
/// image ends too.
int64_t mirrored(int64_t at, int64_t extent) {
  if (extent == 1) return 0;
  const int64_t period = 2 * (extent - 1);
  at = ((at % period) + period) % period;
  return at < extent ? at : period - at;
}

}  // namespace

void blur(Image& image, double sigma) {
  const auto reach = static_cast<int64_t>(std::ceil(3 * sigma));
  const int64_t width = image.width, height = image.height, row_bytes = 3 * width;
  const ResampleWeights weights = gaussian(sigma, reach, width);
  const RowResampler across(weights);
  std::vector<uint8_t> wide(static_cast<size_t>(3 * (width + 2 * reach) + across.slack()));
  Image tall(width, height + 2 * reach);  // rows beyond the border, too
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* row = image.row(y);
    std::memcpy(wide.data() + 3 * reach, row, static_cast<size_t>(row_bytes));
    for (int64_t i = 1; i <= reach; ++i) {
      std::copy_n(row + 3 * mirrored(-i, width), 3, wide.data() + 3 * (reach - i));
      std::copy_n(row + 3 * mirrored(width - 1 + i, width), 3, wide.data() + 3 * (reach + width - 1 + i));
    }
    across(wide.data(), tall.row(reach + y));
  }
  for (int64_t i = 1; i <= reach; ++i) {
    std::memcpy(tall.row(reach - i), tall.row(reach + mirrored(-i, height)), static_cast<size_t>(row_bytes));
    std::memcpy(tall.row(reach + height - 1 + i), tall.row(reach + mirrored(height - 1 + i, height)),
                static_cast<size_t>(row_bytes));
  }
  for (int64_t y = 0; y < height; ++y)
    resample_column(tall.row(y), row_bytes, weights.values.data(), weights.taps, row_bytes, image.row(y));
}

}  // namespace graft
