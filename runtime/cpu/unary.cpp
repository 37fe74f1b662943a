#include "runtime/ops/unary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "runtime/core/integer.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/vector/functions.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/cpu/walk.h"
#include "runtime/ops/unary_formulas.h"

namespace graft::cpu {
namespace {

using Kind = Unary::Kind;

/// f(x) of integers, which know only what stays whole.
template <typename T>
T whole_value(Kind kind, T x, T alpha, T beta) {
  switch (kind) {
    case Kind::relu:
      return std::max<T>(x, 0);
    case Kind::clip:
      return std::min(std::max(x, alpha), beta);
    case Kind::neg:
      return wrapping_negate(x);
    case Kind::abs:
      return x < 0 ? wrapping_negate(x) : x;
    case Kind::sign:
      return static_cast<T>((x > 0) - (x < 0));
    case Kind::shrink:
      if (x < wrapping_negate(alpha)) return wrapping_add(x, beta);
      return x > alpha ? wrapping_subtract(x, beta) : T{0};
    default:
      throw Error("this function is not defined for integers");
  }
}

template <Kind kind, typename T>
T evaluate(T x, T alpha, T beta) {
  if constexpr (std::is_integral_v<T>)
    return whole_value(kind, x, alpha, beta);
  else
    return unary_value(kind, x, alpha, beta);
}

/// Loops over one row, by Kind.
template <typename T>
using ValueRow = void (*)(int64_t n, const T* x, int64_t x_step, T alpha, T beta, T* y, int64_t y_step);
using SlopeRow = void (*)(int64_t n, const float* dy, int64_t dy_step, const float* v, int64_t v_step, float alpha,
                          float beta, float* dx, int64_t dx_step);

template <Kind kind, typename T>
void value_row(int64_t n, const T* x, int64_t x_step, T alpha, T beta, T* y, int64_t y_step) {
  for (int64_t i = 0; i < n; ++i) y[i * y_step] = evaluate<kind>(x[i * x_step], alpha, beta);
}

template <Kind kind>
void slope_row(int64_t n, const float* dy, int64_t dy_step, const float* v, int64_t v_step, float alpha, float beta,
               float* dx, int64_t dx_step) {
  for (int64_t i = 0; i < n; ++i) dx[i * dx_step] = dy[i * dy_step] * unary_slope(kind, v[i * v_step], alpha, beta);
}

template <typename T>
ValueRow<T> value_row_of(Kind kind) {
  static constexpr auto table = []<size_t... i>(std::index_sequence<i...>) {
    return std::array{ValueRow<T>{value_row<static_cast<Kind>(i), T>}...};
  }
  (std::make_index_sequence<VectorFunctions::kKinds>());
  return table[static_cast<size_t>(kind)];
}

SlopeRow slope_row_of(Kind kind) {
  static constexpr auto table = []<size_t... i>(std::index_sequence<i...>) {
    return std::array{SlopeRow{slope_row<static_cast<Kind>(i)>}...};
  }
  (std::make_index_sequence<VectorFunctions::kKinds>());
  return table[static_cast<size_t>(kind)];
}

Activation fused(Kind kind, float alpha, float beta) {
  Unary op;
  op.kind = kind;
  op.alpha = alpha;
  op.beta = beta;
  return as_activation(op);
}

template <typename T>
class UnaryKernel final : public Kernel {
 public:
  UnaryKernel(const Unary& op, const KernelRequest& r)
      : op_(op), walk_(r.outputs[0].shape, {r.outputs[0].strides, r.inputs[0].strides}) {}
  void run(const KernelArguments& args) override {
    const T* x = static_cast<const T*>(args.inputs[0]);
    T* y = static_cast<T*>(args.outputs[0]);
    T alpha{}, beta{};
    if constexpr (std::is_integral_v<T>) {  // Clip's open ends are infinite
      alpha = saturating_cast<T>(op_.alpha);
      beta = saturating_cast<T>(op_.beta);
    } else {
      alpha = static_cast<T>(op_.alpha);
      beta = static_cast<T>(op_.beta);
    }
    const auto row = value_row_of<T>(op_.kind);
    walk_.run([&](const auto& at, int64_t n, const auto& step) {
      parallel_for(n, 1 << 13, [&](int64_t first, int64_t last) {
        if constexpr (std::is_same_v<T, float>) {
          const auto loop = vector_functions().value[static_cast<size_t>(op_.kind)];
          if (loop && step[0] == 1 && step[1] == 1)
            return loop(last - first, x + at[1] + first, alpha, beta, y + at[0] + first);
        }
        row(last - first, x + at[1] + first * step[1], step[1], alpha, beta, y + at[0] + first * step[0], step[0]);
      });
    });
  }

 private:
  Unary op_;
  Walk<2> walk_;
};

class ActivationKernel final : public Kernel {
 public:
  ActivationKernel(Activation activation, int64_t elements) : activation_(activation), elements_(elements) {}
  void run(const KernelArguments& args) override {
    const float* x = static_cast<const float*>(args.inputs[0]);
    float* y = static_cast<float*>(args.outputs[0]);
    parallel_for(elements_, 1 << 14, [&](int64_t first, int64_t last) {
      vector_loops().activate(last - first, x + first, activation_, y + first);
    });
  }

 private:
  Activation activation_;
  int64_t elements_;
};

class GradientKernel final : public Kernel {
 public:
  GradientKernel(const UnaryGradient& op, const KernelRequest& r)
      : op_(op),
        activation_(fused(op.kind, op.alpha, op.beta)),
        elements_(r.outputs[0].shape.elements()),
        same_(r.inputs[0].strides == r.outputs[0].strides && r.inputs[1].strides == r.outputs[0].strides),
        walk_(r.outputs[0].shape, {r.outputs[0].strides, r.inputs[0].strides, r.inputs[1].strides}) {}
  void run(const KernelArguments& args) override {
    const float *dy = static_cast<const float*>(args.inputs[0]), *v = static_cast<const float*>(args.inputs[1]);
    float* dx = static_cast<float*>(args.outputs[0]);
    if (same_ && activation_.kind != Activation::Kind::none) {
      parallel_for(elements_, 1 << 14, [&](int64_t first, int64_t last) {
        vector_loops().activation_gradient(last - first, dy + first, v + first, activation_, dx + first);
      });
      return;
    }
    const auto loop = vector_functions().slope[static_cast<size_t>(op_.kind)];
    const auto row = slope_row_of(op_.kind);
    walk_.run([&](const auto& at, int64_t n, const auto& step) {
      parallel_for(n, 1 << 13, [&](int64_t first, int64_t last) {
        const int64_t count = last - first;
        if (loop && step[0] == 1 && step[1] == 1 && step[2] == 1) {
          return loop(count, dy + at[1] + first, v + at[2] + first, op_.alpha, op_.beta, dx + at[0] + first);
        }
        row(count, dy + at[1] + first * step[1], step[1], v + at[2] + first * step[2], step[2], op_.alpha, op_.beta,
            dx + at[0] + first * step[0], step[0]);
      });
    });
  }

 private:
  UnaryGradient op_;
  Activation activation_;
  int64_t elements_;
  bool same_;
  Walk<3> walk_;
};

std::unique_ptr<Kernel> make_unary_kernel(const Unary& op, const KernelRequest& r) {
  const Activation activation = as_activation(op);
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  if (activation.kind != Activation::Kind::none && y.dtype == DType::f32 && x.strides == y.strides) {
    return std::make_unique<ActivationKernel>(activation, y.shape.elements());
  }
  std::unique_ptr<Kernel> kernel;
  visit_arithmetic(y.dtype, [&](auto tag) { kernel = std::make_unique<UnaryKernel<decltype(tag)>>(op, r); });
  return kernel;
}

std::unique_ptr<Kernel> make_gradient(const UnaryGradient& op, const KernelRequest& r) {
  return std::make_unique<GradientKernel>(op, r);
}

}  // namespace

void register_unary(KernelTable& table) {
  table.add<Unary>(make_unary_kernel);
  table.add<UnaryGradient>(make_gradient);
}

}  // namespace graft::cpu
