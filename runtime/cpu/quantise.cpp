#include "runtime/ops/quantise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/core/isa.h"
#include "runtime/core/parallel.h"
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

bool is_one_scale(const KernelRequest& r) {
  for (size_t i = 1; i < r.inputs.size(); ++i)
    if (r.inputs[i].present && r.inputs[i].shape.elements() != 1) return false;
  return r.inputs[0].strides == r.outputs[0].strides;
}

/// One scale for all, elements that lie alike.
template <typename T>
class EvenQuantiseKernel final : public Kernel {
 public:
  explicit EvenQuantiseKernel(const KernelRequest& r)
      : has_zero_(r.inputs.size() > 2 && r.inputs[2].present), elements_(r.outputs[0].shape.elements()) {}
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    const float scale = *static_cast<const float*>(a.inputs[1]);
    const float zero = has_zero_ ? static_cast<float>(*static_cast<const T*>(a.inputs[2])) : 0.0f;
    T* y = static_cast<T*>(a.outputs[0]);
    parallel_for(elements_, kGrain, [&](int64_t first, int64_t last) {
      on_best_isa([=] {
        constexpr auto low = static_cast<float>(std::numeric_limits<T>::lowest()),
                       high = static_cast<float>(std::numeric_limits<T>::max());
        constexpr float kRounds = 12582912.0f;  // 1.5·2²³: adding it leaves whole numbers, ties to even
        for (int64_t i = first; i < last; ++i) {
          // Held beforehand, beyond what any zero point brings back, so that adding rounds.
          const float steps = x[i] / scale;
          const float held = steps < -1024.0f ? -1024.0f : steps > 1024.0f ? 1024.0f : steps;
          const float v = (held + kRounds) - kRounds + zero;
          y[i] = static_cast<T>(static_cast<int32_t>(v < low ? low : v > high ? high : v));
        }
      });
    });
  }

 private:
  bool has_zero_;
  int64_t elements_;
};

template <typename T>
class EvenDequantiseKernel final : public Kernel {
 public:
  explicit EvenDequantiseKernel(const KernelRequest& r)
      : has_zero_(r.inputs.size() > 2 && r.inputs[2].present), elements_(r.outputs[0].shape.elements()) {}
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const T*>(a.inputs[0]);
    const float scale = *static_cast<const float*>(a.inputs[1]);
    const int32_t zero = has_zero_ ? *static_cast<const T*>(a.inputs[2]) : 0;
    auto* y = static_cast<float*>(a.outputs[0]);
    parallel_for(elements_, kGrain, [&](int64_t first, int64_t last) {
      on_best_isa([=] {
        for (int64_t i = first; i < last; ++i) y[i] = static_cast<float>(int32_t{x[i]} - zero) * scale;
      });
    });
  }

 private:
  bool has_zero_;
  int64_t elements_;
};

std::unique_ptr<Kernel> make_quantise(const Quantise& op, const KernelRequest& r) {
  if (is_one_scale(r)) {
    if (r.outputs[0].dtype == DType::u8) return std::make_unique<EvenQuantiseKernel<uint8_t>>(r);
    return std::make_unique<EvenQuantiseKernel<int8_t>>(r);
  }
  if (r.outputs[0].dtype == DType::u8) return std::make_unique<QuantiseKernel<uint8_t>>(op, r);
  return std::make_unique<QuantiseKernel<int8_t>>(op, r);
}

std::unique_ptr<Kernel> make_dequantise(const Dequantise& op, const KernelRequest& r) {
  if (is_one_scale(r)) {
    if (r.inputs[0].dtype == DType::u8) return std::make_unique<EvenDequantiseKernel<uint8_t>>(r);
    if (r.inputs[0].dtype == DType::i8) return std::make_unique<EvenDequantiseKernel<int8_t>>(r);
  }
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
