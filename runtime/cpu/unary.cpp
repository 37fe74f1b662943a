#include "runtime/ops/unary.h"

#include <algorithm>
#include <cmath>

#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/parallel.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

using Kind = Unary::Kind;

template <typename T>
T evaluate(Kind kind, T x, T alpha, T beta) {
  if constexpr (std::is_integral_v<T>) {
    switch (kind) {
      case Kind::relu: return std::max<T>(x, 0);
      case Kind::clip: return std::min(std::max(x, alpha), beta);
      case Kind::neg: return static_cast<T>(-x);
      case Kind::abs: return static_cast<T>(x < 0 ? -x : x);
      default: throw Error("this function is not defined for integers");
    }
  } else {
    switch (kind) {
      case Kind::relu: return x > 0 ? x : 0 * x;
      case Kind::clip: return std::min(std::max(x, alpha), beta);  // in this order where the bounds cross
      case Kind::leaky_relu: return x > 0 ? x : alpha * x;
      case Kind::elu: return x > 0 ? x : alpha * std::expm1(x);
      case Kind::sigmoid: return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
      case Kind::hard_sigmoid: return std::max<T>(0, std::min<T>(1, alpha * x + beta));
      case Kind::hard_swish: return x * std::max<T>(0, std::min<T>(1, x / 6 + T(0.5)));
      case Kind::tanh: return std::tanh(x);
      case Kind::softplus: return x > 20 ? x : std::log1p(std::exp(x));
      case Kind::exp: return std::exp(x);
      case Kind::log: return std::log(x);
      case Kind::sqrt: return std::sqrt(x);
      case Kind::neg: return -x;
      case Kind::abs: return std::fabs(x);
      case Kind::reciprocal: return 1 / x;
      case Kind::floor: return std::floor(x);
      case Kind::ceil: return std::ceil(x);
      case Kind::erf: return std::erf(x);
    }
    return x;
  }
}

/// f'(x), where v is y for the functions of slope_follows_from_output and x for the others.
float slope(Kind kind, float v, float alpha, float beta) {
  switch (kind) {
    case Kind::relu: return v > 0 ? 1.0f : 0.0f;
    case Kind::clip: return v > alpha && v < beta ? 1.0f : 0.0f;
    case Kind::leaky_relu: return v > 0 ? 1.0f : alpha;
    case Kind::elu: return v > 0 ? 1.0f : v + alpha;
    case Kind::sigmoid: return v * (1 - v);
    case Kind::tanh: return 1 - v * v;
    case Kind::exp: return v;
    case Kind::sqrt: return 0.5f / v;
    case Kind::neg: return -1;
    case Kind::reciprocal: return -v * v;
    case Kind::hard_sigmoid: return alpha * v + beta > 0 && alpha * v + beta < 1 ? alpha : 0.0f;
    case Kind::hard_swish: return v <= -3 ? 0.0f : (v >= 3 ? 1.0f : v / 3 + 0.5f);
    case Kind::softplus: return 1 / (1 + std::exp(-v));
    case Kind::log: return 1 / v;
    case Kind::abs: return v > 0 ? 1.0f : (v < 0 ? -1.0f : 0.0f);
    case Kind::erf: return 1.1283791670955126f * std::exp(-v * v);  // 2/√π
    case Kind::floor:
    case Kind::ceil: return 0;
  }
  return 0;
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
  UnaryKernel(const Unary& op, const KernelRequest& r) : op_(op), walk_(r.outputs[0].shape, {r.outputs[0].strides, r.inputs[0].strides}) {}
  void run(const KernelArguments& args) override {
    const T* x = static_cast<const T*>(args.inputs[0]);
    T* y = static_cast<T*>(args.outputs[0]);
    T alpha{}, beta{};
    if constexpr (std::is_integral_v<T>) {  // Clip's open ends are infinite
      alpha = op_.alpha <= static_cast<float>(std::numeric_limits<T>::lowest()) ? std::numeric_limits<T>::lowest() : static_cast<T>(op_.alpha);
      beta = op_.beta >= static_cast<float>(std::numeric_limits<T>::max()) ? std::numeric_limits<T>::max() : static_cast<T>(op_.beta);
    } else {
      alpha = static_cast<T>(op_.alpha);
      beta = static_cast<T>(op_.beta);
    }
    walk_.run([&](const auto& at, int64_t n, const auto& step) {
      parallel_for(n, 1 << 13, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) y[at[0] + i * step[0]] = evaluate<T>(op_.kind, x[at[1] + i * step[1]], alpha, beta);
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
    parallel_for(elements_, 1 << 14, [&](int64_t first, int64_t last) { vector_loops().activate(last - first, x + first, activation_, y + first); });
  }

 private:
  Activation activation_;
  int64_t elements_;
};

class GradientKernel final : public Kernel {
 public:
  GradientKernel(const UnaryGradient& op, const KernelRequest& r)
      : op_(op), activation_(fused(op.kind, op.alpha, op.beta)), elements_(r.outputs[0].shape.elements()),
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
    walk_.run([&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) dx[at[0] + i * step[0]] = dy[at[1] + i * step[1]] * slope(op_.kind, v[at[2] + i * step[2]], op_.alpha, op_.beta);
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

std::unique_ptr<Kernel> make_gradient(const UnaryGradient& op, const KernelRequest& r) { return std::make_unique<GradientKernel>(op, r); }

}  // namespace

void register_unary(KernelTable& table) {
  table.add<Unary>(make_unary_kernel);
  table.add<UnaryGradient>(make_gradient);
}

}  // namespace graft::cpu
