#include "runtime/ops/softmax.h"

#include <cmath>

#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"
#include "runtime/cuda/rows_of.h"

namespace graft::cuda {
namespace {

/// What one sum runs over.
std::vector<bool> inner(const Softmax& op, int64_t rank) {
  return op.flatten ? from_dimension(rank, op.axis == rank ? rank : resolve_axis(op.axis, rank))
                    : only_dimension(rank, resolve_axis(op.axis, rank));
}

template <typename T>
struct Forward {
  const T* x;
  T* y;
  RowsOf<2> of;  // y, x
  Softmax::Form form;
  GRAFT_DEVICE void operator()(int64_t i, Row row) const {
    const auto start = of.rows(i);
    const int64_t n = of.columns.count();
    const auto in = [&](int64_t k) { return value_of(x[start.at[1] + of.columns(k).at[1]]); };
    float largest = -INFINITY;
    for (int64_t k = row.lane(); k < n; k += row.size()) largest = in(k) > largest ? in(k) : largest;
    largest = row.max(largest);
    double sum = 0;
    for (int64_t k = row.lane(); k < n; k += row.size()) sum += static_cast<double>(std::exp(in(k)-largest));
    sum = row.sum(sum);
    const float log_sum = static_cast<float>(std::log(sum)), inverse = static_cast<float>(1 / sum);
    for (int64_t k = row.lane(); k < n; k += row.size()) {
      const float shifted = in(k)-largest;
      y[start.at[0] + of.columns(k).at[0]] =
          rounded<T>(form == Softmax::Form::probability ? std::exp(shifted) * inverse : shifted - log_sum);
    }
  }
};

/// softmax: dx = y·(dy - Σ dy·y); log-softmax: dx = dy - exp(y)·Σ dy.
template <typename T>
struct Backward {
  const T *dy, *y;
  T* dx;
  RowsOf<3> of;  // dx, dy, y
  Softmax::Form form;
  GRAFT_DEVICE void operator()(int64_t i, Row row) const {
    const auto start = of.rows(i);
    const int64_t n = of.columns.count();
    const bool probability = form == Softmax::Form::probability;
    const auto slope = [&](int64_t k) { return value_of(dy[start.at[1] + of.columns(k).at[1]]); };
    const auto value = [&](int64_t k) { return value_of(y[start.at[2] + of.columns(k).at[2]]); };
    double sum = 0;
    for (int64_t k = row.lane(); k < n; k += row.size())
      sum += static_cast<double>(slope(k)) * (probability ? static_cast<double>(value(k)) : 1.0);
    const auto total = static_cast<float>(row.sum(sum));
    for (int64_t k = row.lane(); k < n; k += row.size()) {
      dx[start.at[0] + of.columns(k).at[0]] =
          rounded<T>(probability ? value(k) * (slope(k) - total) : slope(k) - std::exp(value(k)) * total);
    }
  }
};

std::unique_ptr<Kernel> make_forward(const Launcher& launcher, const Softmax& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const RowsOf<2> of(x.shape, {y.strides, x.strides}, inner(op, x.shape.rank()));
  if (!is_real(x.dtype) || !of.fit()) return nullptr;
  return visit_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, of, form = op.form](const KernelArguments& a) {
      launcher.rows(of.rows.count(),
                    Forward<T>{static_cast<const T*>(a.inputs[0]), static_cast<T*>(a.outputs[0]), of, form});
    });
  });
}

std::unique_ptr<Kernel> make_backward(const Launcher& launcher, const SoftmaxGradient& op, const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &y = r.inputs[1], &dx = r.outputs[0];
  const RowsOf<3> of(dx.shape, {dx.strides, dy.strides, y.strides}, inner(op.forward, dx.shape.rank()));
  if (!is_real(dx.dtype) || !all_of(r.inputs, dx.dtype) || !of.fit()) return nullptr;
  return visit_real(dx.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, of, form = op.forward.form](const KernelArguments& a) {
      launcher.rows(of.rows.count(), Backward<T>{static_cast<const T*>(a.inputs[0]), static_cast<const T*>(a.inputs[1]),
                                                 static_cast<T*>(a.outputs[0]), of, form});
    });
  });
}

}  // namespace

void register_softmax(KernelTable& table, const Launcher& launcher) {
  table.add<Softmax>([&launcher](const Softmax& op, const KernelRequest& r) { return make_forward(launcher, op, r); });
  table.add<SoftmaxGradient>(
      [&launcher](const SoftmaxGradient& op, const KernelRequest& r) { return make_backward(launcher, op, r); });
}

}  // namespace graft::cuda
