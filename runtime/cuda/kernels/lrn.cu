#include <cmath>

#include "runtime/cuda/indexing.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"
#include "runtime/ops/lrn.h"

namespace graft::cuda {
namespace {

/// One pixel's channels, `step` apart.
struct Window {
  int64_t channels, before, after, step;
  float alpha, beta, bias;  // alpha: over the size

  template <typename T>
  GRAFT_DEVICE float base(const T* x, int64_t c) const {
    float sum = 0;
    for (int64_t j = c < before ? 0 : c - before; j <= c + after && j < channels; ++j) {
      const float v = value_of(x[j * step]);
      sum += v * v;
    }
    return bias + alpha * sum;
  }
};

template <typename T>
struct Forward {
  const T* x;
  T* y;
  Indexer<3> places;  // y, x, channel
  Window window;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    const int64_t c = p.at[2];
    y[p.at[0]] =
        rounded<T>(value_of(x[p.at[1]]) * std::pow(window.base(x + p.at[1] - c * window.step, c), -window.beta));
  }
};

/// As on the processor; each thread works out what its neighbours' windows hold.
template <typename T>
struct Backward {
  const T *dy, *x;
  T* dx;
  Indexer<4> places;  // dx, dy, x, channel
  Window window;
  int64_t dy_step;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    const int64_t c = p.at[3];
    const T *row = x + p.at[2] - c * window.step, *slopes = dy + p.at[1] - c * dy_step;
    float sum = 0;
    for (int64_t j = c < window.after ? 0 : c - window.after; j <= c + window.before && j < window.channels; ++j) {
      sum += value_of(slopes[j * dy_step]) * value_of(row[j * window.step]) *
             std::pow(window.base(row, j), -window.beta - 1);
    }
    const float own = value_of(dy[p.at[1]]) * std::pow(window.base(row, c), -window.beta);
    dx[p.at[0]] = rounded<T>(own - 2 * window.alpha * window.beta * value_of(x[p.at[2]]) * sum);
  }
};

Window window_of(const Lrn& op, const Operand& x) {
  const int64_t before = (op.size - 1) / 2;
  return {x.shape[1], before, op.size - 1 - before, x.strides[1], op.alpha / static_cast<float>(op.size),
          op.beta,    op.bias};
}

/// Of four-dimensional operands of one type.
bool serves(const KernelRequest& r) {
  const DType dtype = r.outputs[0].dtype;
  return r.outputs[0].shape.rank() == 4 && is_real(dtype) && all_of(r.inputs, dtype);
}

const Strides kChannel{0, 1, 0, 0};

std::unique_ptr<Kernel> make_forward(const Launcher& launcher, const Lrn& op, const KernelRequest& r) {
  if (!serves(r)) return nullptr;
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  return visit_real(y.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, places = Indexer<3>(y.shape, {y.strides, x.strides, kChannel}),
                     window = window_of(op, x)](const KernelArguments& a) {
      launcher.each(places.count(),
                    Forward<T>{static_cast<const T*>(a.inputs[0]), static_cast<T*>(a.outputs[0]), places, window});
    });
  });
}

std::unique_ptr<Kernel> make_backward(const Launcher& launcher, const LrnGradient& op, const KernelRequest& r) {
  if (!serves(r)) return nullptr;
  const Operand &dy = r.inputs[0], &x = r.inputs[1], &dx = r.outputs[0];
  return visit_real(dx.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, places = Indexer<4>(dx.shape, {dx.strides, dy.strides, x.strides, kChannel}),
                     window = window_of(op.forward, x), dy_step = dy.strides[1]](const KernelArguments& a) {
      launcher.each(places.count(), Backward<T>{static_cast<const T*>(a.inputs[0]), static_cast<const T*>(a.inputs[1]),
                                                static_cast<T*>(a.outputs[0]), places, window, dy_step});
    });
  });
}

}  // namespace

void register_lrn(KernelTable& table, const Launcher& launcher) {
  table.add<Lrn>([&launcher](const Lrn& op, const KernelRequest& r) { return make_forward(launcher, op, r); });
  table.add<LrnGradient>(
      [&launcher](const LrnGradient& op, const KernelRequest& r) { return make_backward(launcher, op, r); });
}

}  // namespace graft::cuda
