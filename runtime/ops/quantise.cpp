#include "runtime/ops/quantise.h"

#include "runtime/core/error.h"

namespace graft {
namespace {

void check(std::span<const ValueType> inputs, int64_t axis) {
  if (inputs.size() < 2) throw Error("needs an input and a scale");
  const Shape& x = inputs[0].shape;
  for (size_t i = 1; i < inputs.size() && i < 3; ++i) {
    const Shape& s = inputs[i].shape;
    if (s.elements() == 1 && s.rank() <= 1) continue;
    const bool along_axis = s.rank() == 1 && s[0] == x[static_cast<size_t>(resolve_axis(axis, x.rank()))];
    if (!along_axis)
      throw Error("scale or zero point of " + s.str() + " does not fit an input of " + x.str(),
                  "graft reads one number, or one for each index along an axis");
  }
}

}  // namespace

std::vector<ValueType> Quantise::infer(std::span<const ValueType> inputs) const {
  check(inputs, axis);
  const DType result = inputs.size() > 2 ? inputs[2].dtype : to;
  if (result != DType::u8 && result != DType::i8)
    throw Error(std::string("quantising to ") + name_of(result) + " is not supported");
  if (inputs[0].dtype != DType::f32 || inputs[1].dtype != DType::f32) throw Error("input and scale must be floats");
  return {{result, inputs[0].shape}};
}

std::vector<ValueType> Dequantise::infer(std::span<const ValueType> inputs) const {
  check(inputs, axis);
  if (inputs.size() > 2 && inputs[2].dtype != inputs[0].dtype)
    throw Error("input and zero point have different element types");
  if (inputs[1].dtype != DType::f32) throw Error("scale must be a float");
  return {{DType::f32, inputs[0].shape}};
}

}  // namespace graft
