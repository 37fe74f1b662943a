#include "runtime/ops/comparison_formulas.h"

#include "runtime/cuda/indexing.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/moves.h"
#include "runtime/cuda/numbers.h"
#include "runtime/ops/broadcast.h"

namespace graft::cuda {
namespace {

template <typename T>
struct Compare {
  const T *a, *b;
  bool* y;
  Indexer<3> places;
  Comparison::Kind kind;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    y[p.at[0]] = holds(kind, value_of(a[p.at[1]]), value_of(b[p.at[2]]));
  }
};

template <typename T>
struct Ask {
  const T* x;
  bool* y;
  Indexer<2> places;
  Predicate::Kind kind;
  bool positive, negative;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    const auto v = value_of(x[p.at[1]]);
    if (kind == Predicate::Kind::logical_not)
      y[p.at[0]] = !v;
    else if (kind == Predicate::Kind::is_nan)
      y[p.at[0]] = v != v;
    else
      y[p.at[0]] = v == v && v - v != 0 && (v > 0 ? positive : negative);
  }
};

template <typename T>
struct Choose {
  const bool* condition;
  const T *a, *b;
  T* y;
  Indexer<4> places;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    y[p.at[0]] = condition[p.at[1]] ? a[p.at[2]] : b[p.at[3]];
  }
};

Strides seen(const Operand& o, const Operand& y) { return broadcast_strides(o.shape, o.strides, y.shape); }

std::unique_ptr<Kernel> make_comparison(const Launcher& launcher, const Comparison& op, const KernelRequest& r) {
  const Operand &a = r.inputs[0], &b = r.inputs[1], &y = r.outputs[0];
  const Indexer<3> places(y.shape, {y.strides, seen(a, y), seen(b, y)});
  if (!places.fits() || a.dtype != b.dtype) return nullptr;
  return visit_any(a.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, places, kind = op.kind](const KernelArguments& k) {
      launcher.each(places.count(), Compare<T>{static_cast<const T*>(k.inputs[0]), static_cast<const T*>(k.inputs[1]),
                                               static_cast<bool*>(k.outputs[0]), places, kind});
    });
  });
}

std::unique_ptr<Kernel> make_predicate(const Launcher& launcher, const Predicate& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const Indexer<2> places(y.shape, {y.strides, x.strides});
  if (!places.fits()) return nullptr;
  return visit_any(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched(
        [&launcher, places, kind = op.kind, positive = op.positive, negative = op.negative](const KernelArguments& k) {
          launcher.each(places.count(), Ask<T>{static_cast<const T*>(k.inputs[0]), static_cast<bool*>(k.outputs[0]),
                                               places, kind, positive, negative});
        });
  });
}

std::unique_ptr<Kernel> make_where(const Launcher& launcher, const KernelRequest& r) {
  const Operand &a = r.inputs[1], &b = r.inputs[2], &y = r.outputs[0];
  const Indexer<4> places(y.shape, {y.strides, seen(r.inputs[0], y), seen(a, y), seen(b, y)});
  if (!places.fits() || a.dtype != y.dtype || b.dtype != y.dtype) return nullptr;
  return launched([&launcher, places, bytes = size_of(y.dtype)](const KernelArguments& k) {
    visit_bytes(bytes, [&](auto tag) {
      using T = decltype(tag);
      launcher.each(places.count(),
                    Choose<T>{static_cast<const bool*>(k.inputs[0]), static_cast<const T*>(k.inputs[1]),
                              static_cast<const T*>(k.inputs[2]), static_cast<T*>(k.outputs[0]), places});
    });
  });
}

}  // namespace

void register_comparison(KernelTable& table, const Launcher& launcher) {
  table.add<Comparison>(
      [&launcher](const Comparison& op, const KernelRequest& r) { return make_comparison(launcher, op, r); });
  table.add<Predicate>(
      [&launcher](const Predicate& op, const KernelRequest& r) { return make_predicate(launcher, op, r); });
  table.add<Where>([&launcher](const Where&, const KernelRequest& r) { return make_where(launcher, r); });
}

}  // namespace graft::cuda
