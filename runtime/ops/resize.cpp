#include "runtime/ops/resize.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {
namespace {

constexpr double kLargestExtent = 1 << 24;

/// Rounded down, where it is an extent at all.
int64_t extent_of(double size) {
  if (!(size >= 0 && size <= kLargestExtent))
    throw Error("a dimension would have " + std::to_string(size) + " elements");
  return static_cast<int64_t>(std::floor(size));
}

/// Scale and extents of every dimension, with the policy applied.
struct Geometry {
  std::vector<double> scales;
  Shape result;
  std::vector<double> starts, ends;  // tf_crop_and_resize

  Geometry(const Resize& op, const Shape& x)
      : scales(x.size(), 1.0), result(x), starts(x.size(), 0.0), ends(x.size(), 1.0) {
    std::vector<size_t> axes;
    for (int64_t axis : op.axes) axes.push_back(static_cast<size_t>(resolve_axis(axis, x.rank())));
    if (axes.empty())
      for (size_t i = 0; i < x.size(); ++i) axes.push_back(i);
    const size_t given = op.sizes.empty() ? op.scales.size() : op.sizes.size();
    if (given != axes.size())
      throw Error(std::to_string(given) + " scales or sizes for " + std::to_string(axes.size()) + " dimensions");
    if (!op.region.empty() && op.region.size() != 2 * axes.size())
      throw Error("the region does not fit the dimensions");
    for (size_t i = 0; i < axes.size(); ++i) {
      const size_t d = axes[i];
      const auto extent = static_cast<double>(x[d]);
      if (!op.region.empty()) {
        starts[d] = static_cast<double>(op.region[i]);
        ends[d] = static_cast<double>(op.region[axes.size() + i]);
      }
      if (op.sizes.empty()) {
        scales[d] = static_cast<double>(op.scales[i]);
        const double region = op.coordinates == Resize::Coordinates::tf_crop_and_resize ? ends[d] - starts[d] : 1.0;
        result[d] = extent_of(extent * region * scales[d]);
      } else {
        scales[d] = static_cast<double>(op.sizes[i]) / extent;
        result[d] = op.sizes[i];
      }
    }
    if (!op.sizes.empty() && op.policy != Resize::Policy::stretch) {
      double scale = scales[axes[0]];
      for (size_t d : axes)
        scale = op.policy == Resize::Policy::not_larger ? std::min(scale, scales[d]) : std::max(scale, scales[d]);
      for (size_t d : axes) {
        scales[d] = scale;
        result[d] = extent_of(std::nearbyint(scale * static_cast<double>(x[d])));
      }
    }
    for (size_t d : axes)
      if (!(scales[d] > 0) || result[d] < 0 || static_cast<double>(result[d]) > kLargestExtent)
        throw Error("dimension " + std::to_string(d) + " would be stretched by " + std::to_string(scales[d]));
  }
};

double source(const Resize& op, double i, double scale, double extent, double result, double start, double end) {
  using enum Resize::Coordinates;
  switch (op.coordinates) {
    case half_pixel:
      return (i + 0.5) / scale - 0.5;
    case half_pixel_symmetric: {
      const double adjustment = std::floor(result) / (scale * extent), centre = extent / 2;
      return centre * (1 - adjustment) + (i + 0.5) / scale - 0.5;
    }
    case pytorch_half_pixel:
      return result > 1 ? (i + 0.5) / scale - 0.5 : 0.0;
    case align_corners:
      return result > 1 ? i * (extent - 1) / (result - 1) : 0.0;
    case asymmetric:
      return i / scale;
    case tf_crop_and_resize:
      return result > 1 ? start * (extent - 1) + i * (end - start) * (extent - 1) / (result - 1)
                        : 0.5 * (start + end) * (extent - 1);
  }
  return i;
}

int64_t nearest_of(Resize::Nearest rule, double x) {
  switch (rule) {
    case Resize::Nearest::round_prefer_floor:
      return static_cast<int64_t>(std::ceil(x - 0.5));
    case Resize::Nearest::round_prefer_ceil:
      return static_cast<int64_t>(std::floor(x + 0.5));
    case Resize::Nearest::floor:
      return static_cast<int64_t>(std::floor(x));
    case Resize::Nearest::ceil:
      return static_cast<int64_t>(std::ceil(x));
  }
  return 0;
}

/// Weight of a tap at a distance, for linear and cubic filters [Keys 1981].
double filter(const Resize& op, double distance) {
  const double t = std::fabs(distance);
  if (op.mode == Resize::Mode::linear) return std::max(0.0, 1 - t);
  const auto a = static_cast<double>(op.cubic);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0.0;
}

std::vector<Resize::Taps::Tap> taps_at(const Resize& op, double x, double scale, int64_t extent) {
  const auto inside = [&](int64_t index) { return std::clamp<int64_t>(index, 0, extent - 1); };
  if (op.mode == Resize::Mode::nearest) return {{inside(nearest_of(op.nearest, x)), 1.0f}};
  const double reach = op.mode == Resize::Mode::linear ? 1.0 : 2.0, shrink = op.antialias ? std::min(1.0, scale) : 1.0,
               support = reach / shrink;
  if (!(std::fabs(x) <= kLargestExtent && support <= kLargestExtent))
    throw Error("scale and region do not fit together");
  std::vector<std::pair<int64_t, double>> list;
  double total = 0;
  for (auto index = static_cast<int64_t>(std::floor(x - support));
       index <= static_cast<int64_t>(std::ceil(x + support)); ++index) {
    const double weight = filter(op, (static_cast<double>(index) - x) * shrink);
    // What lies outside is the edge's value, or does not count.
    if (weight == 0 || (op.exclude_outside && (index < 0 || index >= extent))) continue;
    list.emplace_back(inside(index), weight);
    total += weight;
  }
  std::vector<Resize::Taps::Tap> taps;
  for (const auto& [index, weight] : list) {
    const auto share = static_cast<float>(weight / total);
    if (!taps.empty() && taps.back().index == index)
      taps.back().weight += share;
    else
      taps.push_back({index, share});
  }
  return taps;
}

}  // namespace

OperatorPtr Resize::resolved(std::span<const ValueType> inputs) const {
  if (!scales.empty() || !sizes.empty()) return nullptr;
  if (inputs.size() < 2) throw Error("needs either scales or sizes");
  const Tensor* const target = inputs[1].constant;
  if (!target) throw Error("the sizes depend on the data, which no plan can be made for", {}, ErrorCode::unsupported);
  auto form = std::make_shared<Resize>(*this);
  if (target->dtype() == DType::f32)
    form->scales.assign(target->data<float>().begin(), target->data<float>().end());
  else
    form->sizes = to_int64s(*target);
  if (form->scales.empty() && form->sizes.empty()) throw Error("needs either scales or sizes");
  return form;
}

std::vector<ValueType> Resize::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty()) throw Error("needs an input");
  if (const OperatorPtr form = resolved(inputs)) return form->infer(inputs.first(1));
  return {{inputs[0].dtype, Geometry(*this, inputs[0].shape).result}};
}

std::vector<Resize::Taps> Resize::taps(const Shape& x) const {
  const Geometry geometry(*this, x);
  std::vector<Taps> result(x.size());
  for (size_t d = 0; d < x.size(); ++d) {
    const bool whole = geometry.starts[d] == 0 && geometry.ends[d] == 1;
    if (geometry.result[d] == x[d] && geometry.scales[d] == 1 && whole) continue;
    // The length before rounding, as ONNX has it.
    const double extent = static_cast<double>(x[d]),
                 size = sizes.empty() ? geometry.scales[d] * extent : static_cast<double>(geometry.result[d]);
    for (int64_t i = 0; i < geometry.result[d]; ++i) {
      const double at =
          source(*this, static_cast<double>(i), geometry.scales[d], extent, size, geometry.starts[d], geometry.ends[d]);
      const bool outside = coordinates == Coordinates::tf_crop_and_resize && (at < 0 || at > extent - 1);
      result[d].of.push_back(outside ? std::vector<Taps::Tap>{} : taps_at(*this, at, geometry.scales[d], x[d]));
      result[d].constant.push_back(outside ? extrapolation : 0.0f);
    }
  }
  return result;
}

void Resize::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<ResizeGradient>();
  op->forward = *this;
  op->input_shape = grad.shape(grad.input(0));
  grad.give(0, grad.emit(op, {grad.grad_output()}));
}

}  // namespace graft
