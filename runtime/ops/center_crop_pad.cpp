#include "runtime/ops/center_crop_pad.h"

#include <numeric>

#include "runtime/core/error.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/movement.h"

namespace graft {
namespace {

/// The dimensions that change, or may.
std::vector<int64_t> dimensions_of(const CenterCropPad& op, const Shape& x) {
  std::vector<int64_t> along = op.axes;
  if (along.empty()) {
    along.resize(x.size());
    std::iota(along.begin(), along.end(), int64_t{0});
  }
  for (int64_t& a : along) a = resolve_axis(a, x.rank());
  return along;
}

}  // namespace

std::vector<ValueType> CenterCropPad::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2 || !inputs[1].constant) throw Error("needs an input and a constant shape");
  Shape y = inputs[0].shape;
  const std::vector<int64_t> along = dimensions_of(*this, y), extents = to_int64s(*inputs[1].constant);
  if (along.size() != extents.size())
    throw Error("the shape has " + std::to_string(extents.size()) + " extents for " + std::to_string(along.size()) +
                " dimensions");
  for (size_t i = 0; i < along.size(); ++i) {
    constexpr int64_t kLargest = 1 << 20;
    if (extents[i] < 0 || extents[i] > kLargest)
      throw Error("an extent of " + std::to_string(extents[i]) + " has no sense");
    y[static_cast<size_t>(along[i])] = extents[i];
  }
  return {{inputs[0].dtype, y}};
}

ValueId CenterCropPad::expand(Expansion& to) const {
  const Shape x = to.shape(to.input(0)), y = to.output_shape();
  if (x == y) return to.input(0);
  // Of an odd number of elements more lie after the picture than before it.
  auto pad = std::make_shared<Pad>();
  pad->pads.assign(2 * x.size(), 0);
  for (size_t d = 0; d < x.size(); ++d) {
    const int64_t more = y[d] - x[d], before = more / 2;
    pad->pads[d] = before;
    pad->pads[d + x.size()] = more - before;
  }
  return to.emit(pad, {to.input(0)});
}

}  // namespace graft
