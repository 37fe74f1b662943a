#include "runtime/ops/quantise.h"

#include <cmath>

#include "runtime/cuda/indexing.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"

namespace graft::cuda {
namespace {

template <typename T>
struct ToIntegers {
  const float *x, *scale;
  const T* zero;  // null: 0
  T* y;
  Indexer<4> places;  // y, x, scale, zero
  float low, high;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    const float v = std::nearbyint(x[p.at[1]] / scale[p.at[2]]) + (zero ? static_cast<float>(zero[p.at[3]]) : 0.0f);
    y[p.at[0]] = static_cast<T>(v < low ? low : v > high ? high : v);
  }
};

template <typename T>
struct FromIntegers {
  const T *x, *zero;  // zero: null for 0
  const float* scale;
  float* y;
  Indexer<4> places;  // y, x, scale, zero
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    y[p.at[0]] = (static_cast<float>(x[p.at[1]]) - (zero ? static_cast<float>(zero[p.at[3]]) : 0.0f)) * scale[p.at[2]];
  }
};

bool has_zero(const KernelRequest& r) { return r.inputs.size() > 2 && r.inputs[2].present; }

Indexer<4> places_of(const KernelRequest& r, int64_t axis) {
  const Shape& shape = r.inputs[0].shape;
  const auto along = [&](size_t i) {
    Strides strides(shape.size(), 0);
    if (i < r.inputs.size() && r.inputs[i].present && r.inputs[i].shape.elements() > 1)
      strides[static_cast<size_t>(resolve_axis(axis, shape.rank()))] = 1;
    return strides;
  };
  return {shape, {r.outputs[0].strides, r.inputs[0].strides, along(1), along(2)}};
}

template <typename T>
std::unique_ptr<Kernel> quantised(const Launcher& launcher, const Indexer<4>& places, bool zero) {
  return launched([&launcher, places, zero](const KernelArguments& k) {
    launcher.each(places.count(),
                  ToIntegers<T>{static_cast<const float*>(k.inputs[0]), static_cast<const float*>(k.inputs[1]),
                                zero ? static_cast<const T*>(k.inputs[2]) : nullptr, static_cast<T*>(k.outputs[0]),
                                places, static_cast<float>(std::numeric_limits<T>::lowest()),
                                static_cast<float>(std::numeric_limits<T>::max())});
  });
}

template <typename T>
std::unique_ptr<Kernel> dequantised(const Launcher& launcher, const Indexer<4>& places, bool zero) {
  return launched([&launcher, places, zero](const KernelArguments& k) {
    launcher.each(
        places.count(),
        FromIntegers<T>{static_cast<const T*>(k.inputs[0]), zero ? static_cast<const T*>(k.inputs[2]) : nullptr,
                        static_cast<const float*>(k.inputs[1]), static_cast<float*>(k.outputs[0]), places});
  });
}

std::unique_ptr<Kernel> make_quantise(const Launcher& launcher, const Quantise& op, const KernelRequest& r) {
  const Indexer<4> places = places_of(r, op.axis);
  if (!places.fits() || r.inputs[0].dtype != DType::f32) return nullptr;
  return r.outputs[0].dtype == DType::u8 ? quantised<uint8_t>(launcher, places, has_zero(r))
                                         : quantised<int8_t>(launcher, places, has_zero(r));
}

std::unique_ptr<Kernel> make_dequantise(const Launcher& launcher, const Dequantise& op, const KernelRequest& r) {
  const Indexer<4> places = places_of(r, op.axis);
  if (!places.fits() || r.outputs[0].dtype != DType::f32) return nullptr;
  switch (r.inputs[0].dtype) {
    case DType::u8:
      return dequantised<uint8_t>(launcher, places, has_zero(r));
    case DType::i8:
      return dequantised<int8_t>(launcher, places, has_zero(r));
    case DType::i32:
      return dequantised<int32_t>(launcher, places, has_zero(r));
    default:
      return nullptr;
  }
}

}  // namespace

void register_quantise(KernelTable& table, const Launcher& launcher) {
  table.add<Quantise>(
      [&launcher](const Quantise& op, const KernelRequest& r) { return make_quantise(launcher, op, r); });
  table.add<Dequantise>(
      [&launcher](const Dequantise& op, const KernelRequest& r) { return make_dequantise(launcher, op, r); });
}

}  // namespace graft::cuda
