#include <cmath>

#include "runtime/cuda/column_sums.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"
#include "runtime/cuda/rows_of.h"
#include "runtime/ops/broadcast.h"
#include "runtime/ops/norm_view.h"

namespace graft::cuda {
namespace {

struct Statistics {
  float mean, inverse;
};

/// Of one row, whose element k is in(k).
template <typename In>
GRAFT_DEVICE Statistics measure(const In& in, int64_t n, float epsilon, bool root_mean_square, Row row) {
  double sum = 0, squares = 0;
  if (!root_mean_square)
    for (int64_t k = row.lane(); k < n; k += row.size()) sum += static_cast<double>(in(k));
  const double mean = row.sum(sum) / static_cast<double>(n);
  for (int64_t k = row.lane(); k < n; k += row.size())
    squares += (static_cast<double>(in(k)) - mean) * (static_cast<double>(in(k)) - mean);
  squares = row.sum(squares);
  return {static_cast<float>(mean),
          static_cast<float>(1 / std::sqrt(squares / static_cast<double>(n) + static_cast<double>(epsilon)))};
}

template <typename T>
struct Forward {
  const T* x;
  const float *scale, *bias;  // bias: null without one
  T* y;
  float *mean, *inverse;  // null where nobody asks
  RowsOf<4> of;           // y, x, parameters, statistics
  float epsilon;
  bool root_mean_square;
  GRAFT_DEVICE void operator()(int64_t i, Row row) const {
    const auto start = of.rows(i);
    const int64_t n = of.columns.count();
    const auto in = [&](int64_t k) { return value_of(x[start.at[1] + of.columns(k).at[1]]); };
    const Statistics s = measure(in, n, epsilon, root_mean_square, row);
    for (int64_t k = row.lane(); k < n; k += row.size()) {
      const auto column = of.columns(k);
      const int64_t p = start.at[2] + column.at[2];
      y[start.at[0] + column.at[0]] = rounded<T>(
          (value_of(x[start.at[1] + column.at[1]]) - s.mean) * s.inverse * scale[p] + (bias ? bias[p] : 0.0f));
    }
    if (row.lane() != 0) return;
    if (mean) mean[start.at[3]] = s.mean;
    if (inverse) inverse[start.at[3]] = s.inverse;
  }
};

/// With x̂ = (x - μ)·r and g = dy·scale over a row of n: dx = r·(g - Σg/n - x̂·Σ(g·x̂)/n) [Ba et al. 2016]; the middle
/// term is absent where μ is not subtracted.
template <typename T>
struct Backward {
  const T *dy, *x;
  const float* scale;
  T* dx;
  Statistics* statistics;
  RowsOf<5> of;  // dx, dy, x, parameters, statistics
  float epsilon;
  bool root_mean_square;
  GRAFT_DEVICE void operator()(int64_t i, Row row) const {
    const auto start = of.rows(i);
    const int64_t n = of.columns.count();
    const auto in = [&](int64_t k) { return value_of(x[start.at[2] + of.columns(k).at[2]]); };
    const Statistics s = measure(in, n, epsilon, root_mean_square, row);
    const auto slope = [&](int64_t k) {
      const auto column = of.columns(k);
      return value_of(dy[start.at[1] + column.at[1]]) * scale[start.at[3] + column.at[3]];
    };
    double sum = 0, sum_x = 0;
    for (int64_t k = row.lane(); k < n; k += row.size()) {
      const float g = slope(k);
      sum += static_cast<double>(g);
      sum_x += static_cast<double>(g * (in(k)-s.mean) * s.inverse);
    }
    sum = row.sum(sum);
    sum_x = row.sum(sum_x);
    const float mean_g = root_mean_square ? 0.0f : static_cast<float>(sum / static_cast<double>(n)),
                mean_gx = static_cast<float>(sum_x / static_cast<double>(n));
    for (int64_t k = row.lane(); k < n; k += row.size()) {
      dx[start.at[0] + of.columns(k).at[0]] =
          rounded<T>(s.inverse * (slope(k) - mean_g - (in(k)-s.mean) * s.inverse * mean_gx));
    }
    if (row.lane() == 0) statistics[start.at[4]] = s;
  }
};

/// What dL/dscale and dL/dbias add up.
template <typename T>
struct Share {
  const T *dy, *x;
  const Statistics* statistics;
  Indexer<4> numbers;  // the parameter, dy, x, statistics
  Indexer<3> sharing;  // dy, x, statistics
  GRAFT_DEVICE void operator()(int64_t at, int64_t number, float* out) const {
    const auto p = numbers(number);
    const auto s = sharing(at);
    const Statistics m = statistics[p.at[3] + s.at[2]];
    const float d = value_of(dy[p.at[1] + s.at[0]]);
    out[0] = d * (value_of(x[p.at[2] + s.at[1]]) - m.mean) * m.inverse;
    out[1] = d;
  }
};

struct Store {
  const double* sums;
  float *dscale, *dbias;
  Indexer<4> numbers;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const int64_t at = numbers(i).at[0];
    dscale[at] = static_cast<float>(sums[i]);
    dbias[at] = static_cast<float>(sums[numbers.count() + i]);
  }
};

/// Parameters and what comes of them are floats; `first` is x's type.
bool served(const KernelRequest& r, size_t data_inputs) {
  const DType dtype = r.outputs[0].dtype;
  for (size_t i = 0; i < r.inputs.size(); ++i)
    if (r.inputs[i].present && r.inputs[i].dtype != (i < data_inputs ? dtype : DType::f32)) return false;
  for (size_t o = 1; o < r.outputs.size(); ++o)
    if (r.outputs[o].dtype != DType::f32) return false;
  return is_real(dtype);
}

/// One number a row, row-major; 0 along rows.
Strides number_a_row(const NormView& view) {
  Shape outer = view.shape;
  for (size_t d = 0; d < outer.size(); ++d)
    if (view.inner[d]) outer[d] = 1;
  Strides strides = plain_strides(outer);
  for (size_t d = 0; d < outer.size(); ++d)
    if (view.inner[d]) strides[d] = 0;
  return strides;
}

std::unique_ptr<Kernel> make_forward(const Launcher& launcher, const Normalise& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &scale = r.inputs[1], &y = r.outputs[0];
  const bool bias = r.inputs.size() > 2 && r.inputs[2].present;
  if (bias && (r.inputs[2].shape != scale.shape || r.inputs[2].strides != scale.strides)) return nullptr;
  const NormView view(op, x.shape);
  Strides statistics(view.shape.size(), 0);
  if (r.outputs.size() > 1) statistics = broadcast_strides(r.outputs[1].shape, r.outputs[1].strides, view.shape);
  if (r.outputs.size() > 2 && r.outputs[2].strides != r.outputs[1].strides) return nullptr;
  const RowsOf<4> of(view.shape, {view.data(y), view.data(x), view.parameters(scale), statistics}, view.inner);
  if (!served(r, 1) || !of.fit()) return nullptr;
  return visit_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, of, bias, epsilon = op.epsilon,
                     root_mean_square = op.root_mean_square](const KernelArguments& k) {
      const auto asked = [&](size_t o) { return k.outputs.size() > o ? static_cast<float*>(k.outputs[o]) : nullptr; };
      launcher.rows(of.rows.count(),
                    Forward<T>{static_cast<const T*>(k.inputs[0]), static_cast<const float*>(k.inputs[1]),
                               bias ? static_cast<const float*>(k.inputs[2]) : nullptr, static_cast<T*>(k.outputs[0]),
                               asked(1), asked(2), of, epsilon, root_mean_square});
    });
  });
}

std::unique_ptr<Kernel> make_backward(const Launcher& launcher, const NormaliseGradient& op, const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &x = r.inputs[1], &scale = r.inputs[2], &dx = r.outputs[0];
  const NormView view(op.forward, x.shape);
  const Strides per_row = number_a_row(view), in = view.data(x), slopes = view.data(dy),
                sums = view.parameters(r.outputs[1]);
  const RowsOf<5> of(view.shape, {view.data(dx), slopes, in, view.parameters(scale), per_row}, view.inner);
  // What shares a number are the dimensions along which parameters stand still.
  Shape kept, shared;
  std::array<Strides, 4> of_kept;
  std::array<Strides, 3> of_shared;
  for (size_t d = 0; d < view.shape.size(); ++d) {
    const bool stands = sums[d] == 0;
    (stands ? shared : kept).push_back(view.shape[d]);
    if (stands) {
      for (size_t n = 0; const Strides* from : {&slopes, &in, &per_row}) of_shared[n++].push_back((*from)[d]);
    } else {
      for (size_t n = 0; const Strides* from : {&sums, &slopes, &in, &per_row}) of_kept[n++].push_back((*from)[d]);
    }
  }
  const Indexer<4> numbers(kept, of_kept);
  const Indexer<3> sharing(shared, of_shared);
  if (!served(r, 2) || !of.fit() || !numbers.fits() || !sharing.fits() || r.outputs[2].strides != r.outputs[1].strides)
    return nullptr;
  const ColumnSums adding(sharing.count(), numbers.count(), 2, launcher);
  const size_t statistics_bytes =
      static_cast<size_t>(of.rows.count()) * sizeof(Statistics);  // of 8 bytes, so that doubles may follow
  return visit_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched(
        [&launcher, of, numbers, sharing, adding, statistics_bytes, epsilon = op.forward.epsilon,
         root_mean_square = op.forward.root_mean_square](const KernelArguments& k) {
          const auto *const slope = static_cast<const T*>(k.inputs[0]), *const data =
                                                                            static_cast<const T*>(k.inputs[1]);
          auto* const statistics = static_cast<Statistics*>(k.scratch);
          void* const space = static_cast<std::byte*>(k.scratch) + statistics_bytes;
          launcher.rows(of.rows.count(),
                        Backward<T>{slope, data, static_cast<const float*>(k.inputs[2]), static_cast<T*>(k.outputs[0]),
                                    statistics, of, epsilon, root_mean_square});
          adding.compute<2>(launcher, Share<T>{slope, data, statistics, numbers, sharing}, space);
          launcher.each(numbers.count(), Store{adding.result(space), static_cast<float*>(k.outputs[1]),
                                               static_cast<float*>(k.outputs[2]), numbers});
        },
        statistics_bytes + adding.scratch_bytes());
  });
}

}  // namespace

void register_normalise(KernelTable& table, const Launcher& launcher) {
  table.add<Normalise>(
      [&launcher](const Normalise& op, const KernelRequest& r) { return make_forward(launcher, op, r); });
  table.add<NormaliseGradient>(
      [&launcher](const NormaliseGradient& op, const KernelRequest& r) { return make_backward(launcher, op, r); });
}

}  // namespace graft::cuda
