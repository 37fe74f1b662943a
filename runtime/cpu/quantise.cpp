#include "runtime/ops/quantise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

/// Strides of scale or zero point along the dimensions of x.
Strides along(const Operand& parameter, int64_t axis, const Shape& x) {
  Strides strides(x.size(), 0);
  if (parameter.shape.elements() > 1) strides[static_cast<size_t>(resolve_axis(axis, x.rank()))] = 1;
  return strides;
}

Walk<4> walk_of(const KernelRequest& r, int64_t axis) {
  const Shape& shape = r.inputs[0].shape;
  const bool has_zero = r.inputs.size() > 2 && r.inputs[2].present;
  return {shape,
          {r.outputs[0].strides, r.inputs[0].strides, along(r.inputs[1], axis, shape),
           has_zero ? along(r.inputs[2], axis, shape) : Strides(shape.size(), 0)}};
}

template <typename T>
class QuantiseKernel final : public Kernel {
 public:
  QuantiseKernel(const Quantise& op, const KernelRequest& r)
      : has_zero_(r.inputs.size() > 2 && r.inputs[2].present), walk_(walk_of(r, op.axis)) {}
  void run(const KernelArguments& a) override {
    const auto *x = static_cast<const float*>(a.inputs[0]), *scale = static_cast<const float*>(a.inputs[1]);
    const T none = 0, *zero = has_zero_ ? static_cast<const T*>(a.inputs[2]) : &none;
    T* y = static_cast<T*>(a.outputs[0]);
    constexpr auto low = static_cast<float>(std::numeric_limits<T>::lowest()),
                   high = static_cast<float>(std::numeric_limits<T>::max());
    walk_.run([&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) {
        const float v = std::nearbyint(x[at[1] + i * step[1]] / scale[at[2] + i * step[2]]) +
                        static_cast<float>(zero[at[3] + i * step[3]]);
        y[at[0] + i * step[0]] = static_cast<T>(std::clamp(v, low, high));
      }
    });
  }

 private:
  bool has_zero_;
  Walk<4> walk_;
};

template <typename T>
class DequantiseKernel final : public Kernel {
 public:
  DequantiseKernel(const Dequantise& op, const KernelRequest& r)
      : has_zero_(r.inputs.size() > 2 && r.inputs[2].present), walk_(walk_of(r, op.axis)) {}
  void run(const KernelArguments& a) override {
    const T none = 0, *x = static_cast<const T*>(a.inputs[0]),
            *zero = has_zero_ ? static_cast<const T*>(a.inputs[2]) : &none;
    const auto* scale = static_cast<const float*>(a.inputs[1]);
    auto* y = static_cast<float*>(a.outputs[0]);
    walk_.run([&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) {
        y[at[0] + i * step[0]] =
            (static_cast<float>(x[at[1] + i * step[1]]) - static_cast<float>(zero[at[3] + i * step[3]])) *
            scale[at[2] + i * step[2]];
      }
    });
  }

 private:
  bool has_zero_;
  Walk<4> walk_;
};

std::unique_ptr<Kernel> make_quantise(const Quantise& op, const KernelRequest& r) {
  if (r.outputs[0].dtype == DType::u8) return std::make_unique<QuantiseKernel<uint8_t>>(op, r);
  return std::make_unique<QuantiseKernel<int8_t>>(op, r);
}

std::unique_ptr<Kernel> make_dequantise(const Dequantise& op, const KernelRequest& r) {
  switch (r.inputs[0].dtype) {
    case DType::u8:
      return std::make_unique<DequantiseKernel<uint8_t>>(op, r);
    case DType::i8:
      return std::make_unique<DequantiseKernel<int8_t>>(op, r);
    case DType::i32:
      return std::make_unique<DequantiseKernel<int32_t>>(op, r);
    default:
      throw Error(std::string("dequantising ") + name_of(r.inputs[0].dtype) + " is not supported");
  }
}

}  // namespace

void register_quantise(KernelTable& table) {
  table.add<Quantise>(make_quantise);
  table.add<Dequantise>(make_dequantise);
}

}  // namespace graft::cpu
