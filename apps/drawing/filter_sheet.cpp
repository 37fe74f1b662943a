#include "apps/drawing/filter_sheet.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/error.h"

namespace graft::app {
namespace {

/// Row-major filters of the first convolution that reads colours or grey.
const Tensor& first_filters(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (node.op->type() != "Conv") continue;
    const Value& weight = graph.value(node.inputs[1]);
    if (weight.constant && weight.dtype == DType::f32 && (weight.shape[1] == 3 || weight.shape[1] == 1))
      return *weight.constant;
    break;
  }
  throw Error("the model does not begin with a convolution of colours or grey");
}

}  // namespace

Image filter_sheet(const Graph& graph, int64_t scale) {
  const Tensor& filters = first_filters(graph);
  const Shape& s = filters.shape();
  const int64_t count = s[0], channels = s[1], height = s[2], width = s[3], gap = std::max<int64_t>(scale / 2, 1);
  const auto columns = static_cast<int64_t>(std::ceil(std::sqrt(1.5 * static_cast<double>(count)))),
             rows = (count + columns - 1) / columns;
  Image sheet(columns * (width * scale + gap) + gap, rows * (height * scale + gap) + gap);
  std::fill(sheet.pixels.begin(), sheet.pixels.end(), uint8_t{255});
  const auto values = filters.data<float>();
  for (int64_t k = 0; k < count; ++k) {
    const auto filter = values.subspan(static_cast<size_t>(k * channels * height * width),
                                       static_cast<size_t>(channels * height * width));
    const auto [low, high] = std::minmax_element(filter.begin(), filter.end());
    const float range = std::max(*high - *low, 1e-12f);
    const int64_t left = gap + k % columns * (width * scale + gap), top = gap + k / columns * (height * scale + gap);
    for (int64_t y = 0; y < height * scale; ++y)
      for (int64_t x = 0; x < width * scale; ++x)
        for (int64_t c = 0; c < 3; ++c) {
          const int64_t channel = channels == 3 ? c : 0;
          const float v = filter[static_cast<size_t>((channel * height + y / scale) * width + x / scale)];
          sheet.row(top + y)[(left + x) * 3 + c] = static_cast<uint8_t>(std::lround(255 * (v - *low) / range));
        }
  }
  return sheet;
}

}  // namespace graft::app
