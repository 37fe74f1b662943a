#include "runtime/ops/reduce.h"

#include <cmath>

#include "runtime/cuda/indexing.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"
#include "runtime/ops/broadcast.h"

namespace graft::cuda {
namespace {

/// How single values become one.
struct Rule {
  Reduce::Kind kind = Reduce::Kind::sum;
  GRAFT_DEVICE double start() const {
    if (kind == Reduce::Kind::max) return -INFINITY;
    if (kind == Reduce::Kind::min) return INFINITY;
    return kind == Reduce::Kind::prod ? 1 : 0;
  }
  GRAFT_DEVICE double measured(double v) const {
    if (kind == Reduce::Kind::sum_square || kind == Reduce::Kind::l2) return v * v;
    return kind == Reduce::Kind::l1 && v < 0 ? -v : v;
  }
  GRAFT_DEVICE double together(double a, double b) const {
    if (kind == Reduce::Kind::max) return a != a || a > b ? a : b;  // NaN wins
    if (kind == Reduce::Kind::min) return a != a || a < b ? a : b;
    return kind == Reduce::Kind::prod ? a * b : a + b;
  }
  GRAFT_DEVICE double finished(double v) const {
    if (kind == Reduce::Kind::l2) return std::sqrt(v);
    return kind == Reduce::Kind::log_sum ? std::log(v) : v;
  }
};

/// Outputs × inputs of each. Where there are few outputs their inputs are dealt out in parts, which are put together in
/// a fixed order.
class Reduction {
 public:
  /// `kept` and `folded`: the dimensions of the outputs (written, read) and of the inputs of one output.
  Reduction(const Indexer<2>& kept, const Indexer<1>& folded, Rule rule, double scale, const Launcher& launcher)
      : kept_(kept), folded_(folded), rule_(rule), scale_(scale) {
    const int64_t full = int64_t{2048} * launcher.multiprocessors();
    parts_ =
        std::clamp<int64_t>(full / std::max<int64_t>(kept.count(), 1), 1, std::max<int64_t>(1, folded.count() / 64));
  }
  size_t scratch_bytes() const {
    return parts_ == 1 ? 0 : static_cast<size_t>(parts_ * kept_.count()) * sizeof(double);
  }

  template <typename T>
  void run(const Launcher& launcher, const T* x, T* y, void* scratch) const {
    auto* parts = static_cast<double*>(scratch);
    launcher.each(kept_.count() * parts_, PartialSum<T>{x, y, parts, kept_, folded_, rule_, scale_, parts_});
    if (parts_ > 1) launcher.each(kept_.count(), Together<T>{parts, y, kept_, rule_, scale_, parts_});
  }

  // Bodies are public because nvcc makes kernels of them.
  template <typename T>
  struct PartialSum {
    const T* x;
    T* y;
    double* parts;
    Indexer<2> kept;
    Indexer<1> folded;
    Rule rule;
    double scale;
    int64_t count;
    GRAFT_DEVICE void operator()(int64_t i) const {
      const int64_t part = i / kept.count(), output = i - part * kept.count(), n = folded.count();
      const auto at = kept(output);
      double total = rule.start();
      for (int64_t k = n * part / count; k < n * (part + 1) / count; ++k) {
        total = rule.together(total, rule.measured(static_cast<double>(value_of(x[at.at[1] + folded(k).at[0]]))));
      }
      if (count == 1)
        y[at.at[0]] = rounded<T>(static_cast<float>(scale * rule.finished(total)));
      else
        parts[i] = total;
    }
  };
  template <typename T>
  struct Together {
    const double* parts;
    T* y;
    Indexer<2> kept;
    Rule rule;
    double scale;
    int64_t count;
    GRAFT_DEVICE void operator()(int64_t output) const {
      double total = rule.start();
      for (int64_t part = 0; part < count; ++part) total = rule.together(total, parts[part * kept.count() + output]);
      y[kept(output).at[0]] = rounded<T>(static_cast<float>(scale * rule.finished(total)));
    }
  };

 private:
  Indexer<2> kept_;
  Indexer<1> folded_;
  Rule rule_;
  double scale_;
  int64_t parts_ = 1;
};

/// `to`: the output's strides along the input's dimensions; those of `folded` are not looked at.
std::unique_ptr<Kernel> make(const Launcher& launcher, const Operand& x, const std::vector<bool>& folded,
                             const Strides& to, Rule rule, bool mean, double scale) {
  if (!is_real(x.dtype)) return nullptr;
  Shape kept_shape, folded_shape;
  Strides kept_to, kept_from, folded_from;
  for (size_t d = 0; d < x.shape.size(); ++d) {
    (folded[d] ? folded_shape : kept_shape).push_back(x.shape[d]);
    (folded[d] ? folded_from : kept_from).push_back(x.strides[d]);
    if (!folded[d]) kept_to.push_back(to[d]);
  }
  const Indexer<2> outputs(kept_shape, {kept_to, kept_from});
  const Indexer<1> inputs(folded_shape, {folded_from});
  if (!outputs.fits() || !inputs.fits()) return nullptr;
  if (mean) scale /= static_cast<double>(inputs.count());
  const Reduction reduction(outputs, inputs, rule, scale, launcher);
  return visit_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched(
        [&launcher, reduction](const KernelArguments& a) {
          reduction.run(launcher, static_cast<const T*>(a.inputs[0]), static_cast<T*>(a.outputs[0]), a.scratch);
        },
        reduction.scratch_bytes());
  });
}

std::unique_ptr<Kernel> make_reduce(const Launcher& launcher, const Reduce& op, const KernelRequest& r) {
  if (op.kind == Reduce::Kind::log_sum_exp || r.inputs[0].shape.elements() == 0) return nullptr;
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const auto folded = op.reduced(x.shape.rank());
  Strides to(folded.size(), 0);
  size_t next = 0;
  for (size_t d = 0; d < folded.size(); ++d) {
    if (folded[d])
      next += op.keep_dims || op.global_pool ? 1 : 0;
    else
      to[d] = y.strides[next++];
  }
  return make(launcher, x, folded, to, {op.kind}, op.kind == Reduce::Kind::mean, 1);
}

std::unique_ptr<Kernel> make_sum_to(const Launcher& launcher, const SumTo& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  if (x.shape.elements() == 0) return nullptr;
  const Strides to = broadcast_strides(y.shape, y.strides, x.shape);
  std::vector<bool> folded;
  for (size_t d = 0; d < to.size(); ++d) folded.push_back(to[d] == 0);
  return make(launcher, x, folded, to, {Reduce::Kind::sum}, false, static_cast<double>(op.scale));
}

template <typename T>
struct SpreadOne {
  const T* x;
  T* y;
  Indexer<2> places;
  float scale;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    y[p.at[0]] = rounded<T>(scale * value_of(x[p.at[1]]));
  }
};

std::unique_ptr<Kernel> make_broadcast_to(const Launcher& launcher, const BroadcastTo& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  // The input's strides under the shape `from`, which differs from its own by extents of 1.
  Strides from(op.from.size(), 0);
  size_t next = 0;
  for (size_t i = 0; i < from.size(); ++i) {
    if (op.from[i] == 1) continue;
    while (x.shape[next] == 1) ++next;
    from[i] = x.strides[next++];
  }
  const Indexer<2> places(op.target, {y.strides, from});
  if (!is_real(y.dtype) || !places.fits()) return nullptr;
  return visit_real(y.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, places, scale = op.scale](const KernelArguments& a) {
      launcher.each(places.count(),
                    SpreadOne<T>{static_cast<const T*>(a.inputs[0]), static_cast<T*>(a.outputs[0]), places, scale});
    });
  });
}

}  // namespace

void register_reduce(KernelTable& table, const Launcher& launcher) {
  table.add<Reduce>([&launcher](const Reduce& op, const KernelRequest& r) { return make_reduce(launcher, op, r); });
  table.add<SumTo>([&launcher](const SumTo& op, const KernelRequest& r) { return make_sum_to(launcher, op, r); });
  table.add<BroadcastTo>(
      [&launcher](const BroadcastTo& op, const KernelRequest& r) { return make_broadcast_to(launcher, op, r); });
}

}  // namespace graft::cuda
