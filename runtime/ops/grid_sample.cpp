#include "runtime/ops/grid_sample.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {
namespace {

/// A coordinate in pixels and its derivative by the grid's.
struct Coordinate {
  float at, slope;
};

/// Coordinates so far away mean the same as these, and still convert to integers.
constexpr float kFarthest = 1 << 24;

Coordinate in_pixels(float grid, int64_t extent, bool align_corners) {
  const auto size = static_cast<float>(extent);
  const float slope = (align_corners ? size - 1 : size) / 2;
  return {align_corners ? (grid + 1) * slope : ((grid + 1) * size - 1) / 2, slope};
}

Coordinate clipped(Coordinate c, int64_t extent) {
  const auto last = static_cast<float>(extent - 1);
  if (!(c.at > 0)) return {0, 0};
  if (c.at >= last) return {last, 0};
  return c;
}

/// Mirrored at the centres (align_corners) or the outer edges of the outermost pixels, as often as it takes.
Coordinate reflected(Coordinate c, int64_t extent, bool align_corners) {
  const float low = align_corners ? 0.0f : -0.5f;
  const auto span = static_cast<float>(align_corners ? extent - 1 : extent);
  if (span == 0) return {0, 0};
  const float distance = std::fabs(c.at - low), slope = c.at < low ? -c.slope : c.slope;
  const float rest = std::fmod(distance, span);
  const bool back = std::fmod(std::floor(distance / span), 2.0f) != 0;
  return clipped(back ? Coordinate{span - rest + low, -slope} : Coordinate{rest + low, slope}, extent);
}

Coordinate padded(Coordinate c, int64_t extent, const GridSample& op) {
  if (op.padding == GridSample::Padding::border) return clipped(c, extent);
  if (op.padding == GridSample::Padding::reflection) return reflected(c, extent, op.align_corners);
  return c;
}

/// Along one dimension: pixels, their weights, and how those change with the coordinate.
struct Line {
  std::array<int64_t, 4> index;
  std::array<float, 4> weight, slope;
  size_t count;
};

Line nearest_line(Coordinate c) { return {{std::lrint(c.at)}, {1}, {0}, 1}; }

Line linear_line(Coordinate c) {
  const float below = std::floor(c.at), beyond = c.at - below;
  const auto first = static_cast<int64_t>(below);
  return {{first, first + 1}, {1 - beyond, beyond}, {-c.slope, c.slope}, 2};
}

/// Keys' cubic convolution of four pixels. ["Cubic Convolution Interpolation for Digital Image Processing", 1981]
Line cubic_line(Coordinate c, int64_t extent, const GridSample& op) {
  constexpr float a = -0.75f;
  const float below = std::floor(c.at), t = c.at - below;
  Line line{{}, {}, {}, 4};
  for (int i = 0; i < 4; ++i) {
    const auto at = static_cast<size_t>(i);
    const float d = std::fabs(t - static_cast<float>(i - 1)), sign = t < static_cast<float>(i - 1) ? -1.0f : 1.0f;
    line.weight[at] = d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    line.slope[at] = c.slope * sign * (d <= 1 ? (3 * (a + 2) * d - 2 * (a + 3)) * d : (3 * a * d - 10 * a) * d + 8 * a);
    // Each pixel is mirrored or clipped for itself.
    line.index[at] = static_cast<int64_t>(padded({below + static_cast<float>(i - 1), 0}, extent, op).at);
  }
  return line;
}

Line line_of(float grid, int64_t extent, const GridSample& op) {
  Coordinate c = in_pixels(grid, extent, op.align_corners);
  // Far ones keep their place in the pattern of reflections.
  if (op.padding == GridSample::Padding::reflection && std::fabs(c.at) > kFarthest)
    c = reflected(c, extent, op.align_corners);
  c.at = std::clamp(c.at, -kFarthest, kFarthest);
  if (op.mode == GridSample::Mode::cubic) return cubic_line(c, extent, op);
  c = padded(c, extent, op);
  return op.mode == GridSample::Mode::nearest ? nearest_line(c) : linear_line(c);
}

}  // namespace

GridSample::Taps GridSample::taps(float x, float y, int64_t height, int64_t width) const {
  Taps result;
  const bool is_nowhere =
      padding == Padding::reflection ? !std::isfinite(x) || !std::isfinite(y) : std::isnan(x) || std::isnan(y);
  if (is_nowhere) return result;
  const Line rows = line_of(y, height, *this), columns = line_of(x, width, *this);
  for (size_t i = 0; i < rows.count; ++i)
    for (size_t j = 0; j < columns.count; ++j) {
      const int64_t row = rows.index[i], column = columns.index[j];
      if (row < 0 || row >= height || column < 0 || column >= width) continue;
      result.of[result.count++] = {row, column, rows.weight[i] * columns.weight[j], rows.weight[i] * columns.slope[j],
                                   rows.slope[i] * columns.weight[j]};
    }
  return result;
}

std::vector<ValueType> GridSample::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs pictures and a grid");
  const Shape &x = inputs[0].shape, &grid = inputs[1].shape;
  if (x.rank() == 5) throw Error("samples volumes; only pictures are supported", {}, ErrorCode::unsupported);
  if (x.rank() != 4 || grid.rank() != 4 || grid[3] != 2 || grid[0] != x[0])
    throw Error("a grid of " + grid.str() + " does not fit pictures of " + x.str());
  if (x[2] < 1 || x[3] < 1) throw Error("pictures of " + x.str() + " have no pixels");
  return {{inputs[0].dtype, {x[0], x[1], grid[1], grid[2]}}};
}

void GridSample::differentiate(GradientBuilder& grad) const {
  if (grad.wanted(0)) {
    auto op = std::make_shared<GridSamplePictureGradient>();
    op->forward = *this;
    op->input_shape = grad.shape(grad.input(0));
    grad.give(0, grad.emit(op, {grad.grad_output(), grad.input(1)}));
  }
  if (grad.wanted(1)) {
    auto op = std::make_shared<GridSampleGridGradient>();
    op->forward = *this;
    grad.give(1, grad.emit(op, {grad.grad_output(), grad.input(0), grad.input(1)}, "grid"));
  }
}

}  // namespace graft
