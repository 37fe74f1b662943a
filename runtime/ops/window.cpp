#include "runtime/ops/window.h"

#include <algorithm>

#include "runtime/core/error.h"

namespace graft {
namespace {

// Past these, products of attributes could overflow; no published network comes near.
constexpr int64_t kLargestAttribute = 1 << 20;

int64_t output_extent(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after,
                      Rounding rounding) {
  for (int64_t v : {kernel, stride, dilation}) {
    if (v < 1 || v > kLargestAttribute)
      throw Error("kernel, stride and dilation must lie in 1…1048576, found " + std::to_string(v));
  }
  for (int64_t v : {before, after}) {
    if (v < 0 || v > kLargestAttribute) throw Error("padding must lie in 0…1048576, found " + std::to_string(v));
  }
  const int64_t span = in + before + after - dilation * (kernel - 1) - 1;
  if (in < 1 || span < 0) {
    throw Error("a window of " + std::to_string(dilation * (kernel - 1) + 1) + " does not fit an input of " +
                    std::to_string(in) + " padded by " + std::to_string(before) + " and " + std::to_string(after),
                "is the picture too small for this model?");
  }
  int64_t out = span / stride + 1;
  if (rounding == Rounding::ceil && span % stride != 0) {
    if (out * stride < in + before) ++out;
  }
  return out;
}

}  // namespace

Window2d Window2d::resolved(Extent2d in) const {
  if (auto_pad == AutoPad::given) return *this;
  Window2d result = *this;
  result.auto_pad = AutoPad::given;
  const auto resolve = [&](int64_t extent, int64_t size, int64_t step, int64_t dilation_step, int64_t& before,
                           int64_t& after) {
    if (step < 1 || size < 1 || dilation_step < 1 || size > kLargestAttribute || dilation_step > kLargestAttribute)
      throw Error("kernel, stride and dilation must lie in 1…1048576");
    const int64_t out = (extent + step - 1) / step;
    const int64_t total = std::max<int64_t>(0, (out - 1) * step + dilation_step * (size - 1) + 1 - extent);
    (auto_pad == AutoPad::same_upper ? before : after) = total / 2;
    (auto_pad == AutoPad::same_upper ? after : before) = total - total / 2;
  };
  resolve(in.height, kernel.height, stride.height, dilation.height, result.padding.top, result.padding.bottom);
  resolve(in.width, kernel.width, stride.width, dilation.width, result.padding.left, result.padding.right);
  return result;
}

Extent2d Window2d::output(Extent2d in) const {
  if (auto_pad != AutoPad::given) return resolved(in).output(in);
  return {
      output_extent(in.height, kernel.height, stride.height, dilation.height, padding.top, padding.bottom, rounding),
      output_extent(in.width, kernel.width, stride.width, dilation.width, padding.left, padding.right, rounding)};
}

}  // namespace graft
