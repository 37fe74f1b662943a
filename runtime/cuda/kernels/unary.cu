#include "runtime/cuda/indexing.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"
#include "runtime/ops/unary_formulas.h"

namespace graft::cuda {
namespace {

template <typename T>
struct Value {
  const T* x;
  T* y;
  Indexer<2> places;
  Unary::Kind kind;
  float alpha, beta;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    y[p.at[0]] = rounded<T>(unary_value(kind, value_of(x[p.at[1]]), alpha, beta));
  }
};

template <typename T>
struct Slope {
  const T *dy, *v;
  T* dx;
  Indexer<3> places;
  Unary::Kind kind;
  float alpha, beta;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    dx[p.at[0]] = rounded<T>(value_of(dy[p.at[1]]) * unary_slope(kind, value_of(v[p.at[2]]), alpha, beta));
  }
};

std::unique_ptr<Kernel> make_value(const Launcher& launcher, const Unary& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const Indexer<2> places(y.shape, {y.strides, x.strides});
  if (!is_real(y.dtype) || !places.fits()) return nullptr;
  return visit_real(y.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, places, kind = op.kind, alpha = op.alpha, beta = op.beta](const KernelArguments& a) {
      launcher.each(places.count(), Value<T>{static_cast<const T*>(a.inputs[0]), static_cast<T*>(a.outputs[0]), places,
                                             kind, alpha, beta});
    });
  });
}

std::unique_ptr<Kernel> make_slope(const Launcher& launcher, const UnaryGradient& op, const KernelRequest& r) {
  const Operand& dx = r.outputs[0];
  const Indexer<3> places(dx.shape, {dx.strides, r.inputs[0].strides, r.inputs[1].strides});
  if (!is_real(dx.dtype) || !all_of(r.inputs, dx.dtype) || !places.fits()) return nullptr;
  return visit_real(dx.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, places, kind = op.kind, alpha = op.alpha, beta = op.beta](const KernelArguments& a) {
      launcher.each(places.count(), Slope<T>{static_cast<const T*>(a.inputs[0]), static_cast<const T*>(a.inputs[1]),
                                             static_cast<T*>(a.outputs[0]), places, kind, alpha, beta});
    });
  });
}

}  // namespace

void register_unary(KernelTable& table, const Launcher& launcher) {
  table.add<Unary>([&launcher](const Unary& op, const KernelRequest& r) { return make_value(launcher, op, r); });
  table.add<UnaryGradient>(
      [&launcher](const UnaryGradient& op, const KernelRequest& r) { return make_slope(launcher, op, r); });
}

}  // namespace graft::cuda
