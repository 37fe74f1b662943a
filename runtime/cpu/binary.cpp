#include "runtime/ops/binary.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/integer.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/cpu/walk.h"
#include "runtime/ops/broadcast.h"

namespace graft::cpu {
namespace {

/// With the sign of the dividend.
template <typename T>
T remainder(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return wrapping_remainder(a, b);
  else
    return std::fmod(a, b);
}

template <typename T>
T combine(Binary::Kind kind, T a, T b) {
  constexpr bool whole = std::is_integral_v<T>;
  switch (kind) {
    case Binary::Kind::add:
      if constexpr (whole)
        return wrapping_add(a, b);
      else
        return a + b;
    case Binary::Kind::sub:
      if constexpr (whole)
        return wrapping_subtract(a, b);
      else
        return a - b;
    case Binary::Kind::mul:
      if constexpr (whole)
        return wrapping_multiply(a, b);
      else
        return a * b;
    case Binary::Kind::div:
      if constexpr (whole)
        return wrapping_divide(a, b);
      else
        return a / b;
    case Binary::Kind::pow:
      if constexpr (whole)
        return wrapping_power(a, b);
      else
        return std::pow(a, b);
    case Binary::Kind::max:  // NaN where either is
      return a != a || a > b ? a : b;
    case Binary::Kind::min:
      return a != a || a < b ? a : b;
    case Binary::Kind::mod: {  // the result has the divisor's sign
      const T rest = remainder(a, b);
      return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    }
    case Binary::Kind::fmod:
      return remainder(a, b);
  }
  return a;
}

template <typename T>
class BinaryKernel final : public Kernel {
 public:
  BinaryKernel(const Binary& op, const KernelRequest& r)
      : kind_(op.kind),
        activation_(op.activation),
        walk_(r.outputs[0].shape,
              {r.outputs[0].strides, broadcast_strides(r.inputs[0].shape, r.inputs[0].strides, r.outputs[0].shape),
               broadcast_strides(r.inputs[1].shape, r.inputs[1].strides, r.outputs[0].shape)}) {}

  void run(const KernelArguments& args) override {
    const T *a = static_cast<const T*>(args.inputs[0]), *b = static_cast<const T*>(args.inputs[1]);
    T* y = static_cast<T*>(args.outputs[0]);
    walk_.run_parallel(0, kGrain, [&](const auto& at, int64_t n, const auto& step) {
      row(n, a + at[1], step[1], b + at[2], step[2], y + at[0], step[0]);
    });
  }

 private:
  template <Binary::Kind kind>
  static void apply(int64_t n, const T* a, int64_t a_step, const T* b, int64_t b_step, T* y, int64_t y_step) {
    if (a_step == 1 && b_step == 1 && y_step == 1) {
      for (int64_t i = 0; i < n; ++i) y[i] = combine<T>(kind, a[i], b[i]);
    } else {
      for (int64_t i = 0; i < n; ++i) y[i * y_step] = combine<T>(kind, a[i * a_step], b[i * b_step]);
    }
  }

  void row(int64_t n, const T* a, int64_t a_step, const T* b, int64_t b_step, T* y, int64_t y_step) const {
    using enum Binary::Kind;
    switch (kind_) {
      case add:
        apply<add>(n, a, a_step, b, b_step, y, y_step);
        break;
      case sub:
        apply<sub>(n, a, a_step, b, b_step, y, y_step);
        break;
      case mul:
        apply<mul>(n, a, a_step, b, b_step, y, y_step);
        break;
      case div:
        apply<div>(n, a, a_step, b, b_step, y, y_step);
        break;
      case pow:
        apply<pow>(n, a, a_step, b, b_step, y, y_step);
        break;
      case max:
        apply<max>(n, a, a_step, b, b_step, y, y_step);
        break;
      case min:
        apply<min>(n, a, a_step, b, b_step, y, y_step);
        break;
      case mod:
        apply<mod>(n, a, a_step, b, b_step, y, y_step);
        break;
      case fmod:
        apply<fmod>(n, a, a_step, b, b_step, y, y_step);
        break;
    }
    if constexpr (std::is_same_v<T, float>) {
      if (activation_.kind == Activation::Kind::none) return;
      if (y_step == 1) return vector_loops().activate(n, y, activation_, y);
      for (int64_t i = 0; i < n; ++i) vector_loops().activate(1, y + i * y_step, activation_, y + i * y_step);
    }
  }

  Binary::Kind kind_;
  Activation activation_;
  Walk<3> walk_;
};

/// The residual sum of two activations of one layout: one pass with the activation inside.
class AddKernel final : public Kernel {
 public:
  AddKernel(const Binary& op, int64_t elements) : activation_(op.activation), elements_(elements) {}
  void run(const KernelArguments& args) override {
    const float *a = static_cast<const float*>(args.inputs[0]), *b = static_cast<const float*>(args.inputs[1]);
    float* y = static_cast<float*>(args.outputs[0]);
    parallel_for(elements_, 1 << 14, [&](int64_t first, int64_t last) {
      vector_loops().add(last - first, a + first, b + first, activation_, y + first);
    });
  }

 private:
  Activation activation_;
  int64_t elements_;
};

std::unique_ptr<Kernel> make_binary_kernel(const Binary& op, const KernelRequest& r) {
  const Operand &a = r.inputs[0], &b = r.inputs[1], &y = r.outputs[0];
  const bool same = a.shape == y.shape && b.shape == y.shape && a.strides == y.strides && b.strides == y.strides;
  if (same && op.kind == Binary::Kind::add && y.dtype == DType::f32)
    return std::make_unique<AddKernel>(op, y.shape.elements());
  std::unique_ptr<Kernel> kernel;
  visit_arithmetic(y.dtype, [&](auto tag) { kernel = std::make_unique<BinaryKernel<decltype(tag)>>(op, r); });
  return kernel;
}

}  // namespace

void register_binary(KernelTable& table) { table.add<Binary>(make_binary_kernel); }

}  // namespace graft::cpu
