#include "runtime/ops/selection.h"

#include "runtime/core/ordering.h"
#include "runtime/core/strided_copy.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"
#include "runtime/cuda/rows_of.h"

// One thread a row: none of these stands in the way of a network's speed, and what comes first among equals is then
// plain.
namespace graft::cuda {
namespace {

/// The place of the first extreme of in(0) to in(n - 1), or of the last one.
template <typename In>
GRAFT_DEVICE int64_t extreme(const In& in, int64_t n, bool largest, bool last) {
  int64_t best = 0;
  auto champion = in(0);
  for (int64_t k = 1; k < n; ++k) {
    const auto v = in(k);
    if (!replaces(v, champion, largest, last)) continue;
    best = k;
    champion = v;
  }
  return best;
}

template <typename T>
struct FindExtreme {
  const T* x;
  int64_t* y;
  RowsOf<2> of;  // y, x
  bool largest, last;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto start = of.rows(i);
    const auto in = [&](int64_t k) { return value_of(x[start.at[1] + of.columns(k).at[1]]); };
    y[start.at[0]] = extreme(in, of.columns.count(), largest, last);
  }
};

template <typename T>
struct MarkLargest {
  const T* x;
  T* y;
  RowsOf<2> of;  // y, x
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto start = of.rows(i);
    // Columns are numbered as they lie in memory; the first among equals is so only where that is their order (see
    // in_order).
    const int64_t best = extreme([&](int64_t k) { return value_of(x[start.at[1] + of.columns(k).at[1]]); },
                                 of.columns.count(), true, false);
    for (int64_t k = 0; k < of.columns.count(); ++k)
      y[start.at[0] + of.columns(k).at[0]] = stored<T>(k == best ? 1.0f : 0.0f);
  }
};

/// The k best, each the best of those behind the one before.
template <typename T>
struct TakeBest {
  const T* x;
  T* values;
  int64_t* places;      // null where nobody asks
  RowsOf<2> of;         // of values and places, x; columns of x
  int64_t count, step;  // results of a row, and how far apart
  bool largest;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto start = of.rows(i);
    const auto in = [&](int64_t k) { return value_of(x[start.at[1] + of.columns(k).at[1]]); };
    const auto before = [&](int64_t a, int64_t b) {  // whether a comes before b
      const auto left = in(a), right = in(b);
      if (is_larger(left, right)) return largest;
      if (is_larger(right, left)) return !largest;
      return a < b;
    };
    int64_t previous = -1;
    for (int64_t n = 0; n < count; ++n) {
      int64_t best = -1;
      for (int64_t k = 0; k < of.columns.count(); ++k)
        if ((previous < 0 || before(previous, k)) && (best < 0 || before(k, best))) best = k;
      const int64_t at = start.at[0] + n * step;
      values[at] = x[start.at[1] + of.columns(best).at[1]];
      if (places) places[at] = best;
      previous = best;
    }
  }
};

template <typename T>
struct PutBack {
  const T* dy;
  const int64_t* places;
  T* dx;
  RowsOf<2> of;  // dx, dy; columns of dx
  int64_t count, step;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto start = of.rows(i);
    for (int64_t k = 0; k < of.columns.count(); ++k) dx[start.at[0] + of.columns(k).at[0]] = stored<T>(0.0f);
    for (int64_t n = 0; n < count; ++n) {
      const int64_t at = start.at[1] + n * step;
      dx[start.at[0] + of.columns(places[at]).at[0]] = dy[at];
    }
  }
};

template <typename T>
struct AddAlong {
  const T* x;
  T* y;
  RowsOf<2> of;  // y, x
  bool exclusive, reverse;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto start = of.rows(i);
    const int64_t n = of.columns.count();
    decltype(value_of(T{})) sum{};
    for (int64_t k = 0; k < n; ++k) {
      const auto column = of.columns(reverse ? n - 1 - k : k);
      const auto before = sum;
      sum = static_cast<decltype(sum)>(sum + value_of(x[start.at[1] + column.at[1]]));
      y[start.at[0] + column.at[0]] = stored<T>(exclusive ? before : sum);
    }
  }
};

/// Strides of a tensor that has no, or another, extent along `axis`, as seen from x: 0 there.
Strides beside(const Operand& y, const Operand& x, size_t axis) {
  Strides strides = y.strides;
  if (y.shape.rank() < x.shape.rank()) strides.insert(strides.begin() + static_cast<int64_t>(axis), 0);
  strides[axis] = 0;
  return strides;
}

bool number(DType dtype) { return dtype != DType::boolean; }

std::unique_ptr<Kernel> make_extreme(const Launcher& launcher, const ArgExtreme& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const int64_t axis = resolve_axis(op.axis, x.shape.rank());
  const RowsOf<2> of(x.shape, {beside(y, x, static_cast<size_t>(axis)), x.strides},
                     only_dimension(x.shape.rank(), axis));
  if (!number(x.dtype) || !of.fit()) return nullptr;
  return visit_any(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, of, largest = op.largest, last = op.last](const KernelArguments& k) {
      launcher.each(of.rows.count(), FindExtreme<T>{static_cast<const T*>(k.inputs[0]),
                                                    static_cast<int64_t*>(k.outputs[0]), of, largest, last});
    });
  });
}

std::unique_ptr<Kernel> make_hardmax(const Launcher& launcher, const Hardmax& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const int64_t rank = x.shape.rank(), axis = op.flatten && op.axis == rank ? rank : resolve_axis(op.axis, rank);
  const RowsOf<2> of(x.shape, {y.strides, x.strides},
                     op.flatten ? from_dimension(rank, axis) : only_dimension(rank, axis));
  const bool in_order = !op.flatten || is_row_major(y.shape, y.strides);
  if (!number(x.dtype) || !in_order || !of.fit()) return nullptr;
  return visit_any(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, of](const KernelArguments& k) {
      launcher.each(of.rows.count(),
                    MarkLargest<T>{static_cast<const T*>(k.inputs[0]), static_cast<T*>(k.outputs[0]), of});
    });
  });
}

std::unique_ptr<Kernel> make_top_k(const Launcher& launcher, const TopK& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const int64_t axis = resolve_axis(op.axis, x.shape.rank());
  const auto at = static_cast<size_t>(axis);
  const RowsOf<2> of(x.shape, {beside(y, x, at), x.strides}, only_dimension(x.shape.rank(), axis));
  if (!number(x.dtype) || !of.fit() || (r.outputs.size() > 1 && r.outputs[1].strides != y.strides)) return nullptr;
  return visit_any(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched(
        [&launcher, of, count = y.shape[at], step = y.strides[at], largest = op.largest](const KernelArguments& k) {
          auto* const places = k.outputs.size() > 1 ? static_cast<int64_t*>(k.outputs[1]) : nullptr;
          launcher.each(of.rows.count(), TakeBest<T>{static_cast<const T*>(k.inputs[0]), static_cast<T*>(k.outputs[0]),
                                                     places, of, count, step, largest});
        });
  });
}

std::unique_ptr<Kernel> make_top_k_gradient(const Launcher& launcher, const TopKGradient& op, const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &dx = r.outputs[0];
  const int64_t axis = resolve_axis(op.axis, dx.shape.rank());
  const auto at = static_cast<size_t>(axis);
  const RowsOf<2> of(dx.shape, {dx.strides, beside(dy, dx, at)}, only_dimension(dx.shape.rank(), axis));
  if (!is_real(dx.dtype) || dy.dtype != dx.dtype || !of.fit() || r.inputs[1].strides != dy.strides) return nullptr;
  return visit_real(dx.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, of, count = dy.shape[at], step = dy.strides[at]](const KernelArguments& k) {
      launcher.each(of.rows.count(),
                    PutBack<T>{static_cast<const T*>(k.inputs[0]), static_cast<const int64_t*>(k.inputs[1]),
                               static_cast<T*>(k.outputs[0]), of, count, step});
    });
  });
}

std::unique_ptr<Kernel> make_cum_sum(const Launcher& launcher, const CumSum& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const RowsOf<2> of(x.shape, {y.strides, x.strides}, only_dimension(x.shape.rank(), CumSum::axis(types_of(r.inputs))));
  if (!number(x.dtype) || !of.fit()) return nullptr;
  return visit_any(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, of, exclusive = op.exclusive, reverse = op.reverse](const KernelArguments& k) {
      launcher.each(of.rows.count(), AddAlong<T>{static_cast<const T*>(k.inputs[0]), static_cast<T*>(k.outputs[0]), of,
                                                 exclusive, reverse});
    });
  });
}

}  // namespace

void register_selection(KernelTable& table, const Launcher& launcher) {
  table.add<ArgExtreme>(
      [&launcher](const ArgExtreme& op, const KernelRequest& r) { return make_extreme(launcher, op, r); });
  table.add<Hardmax>([&launcher](const Hardmax& op, const KernelRequest& r) { return make_hardmax(launcher, op, r); });
  table.add<TopK>([&launcher](const TopK& op, const KernelRequest& r) { return make_top_k(launcher, op, r); });
  table.add<TopKGradient>(
      [&launcher](const TopKGradient& op, const KernelRequest& r) { return make_top_k_gradient(launcher, op, r); });
  table.add<CumSum>([&launcher](const CumSum& op, const KernelRequest& r) { return make_cum_sum(launcher, op, r); });
}

}  // namespace graft::cuda
