#include "runtime/ops/selection.h"

#include <algorithm>
#include <numeric>

#include "runtime/core/ordering.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/row_layout.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

RowLayout along(const Operand& x, int64_t axis) { return {x.shape, x.strides, only_dimension(x.shape.rank(), axis)}; }

/// The first extreme (or the last).
template <typename T>
class ArgExtremeKernel final : public Kernel {
 public:
  ArgExtremeKernel(const ArgExtreme& op, const KernelRequest& r)
      : op_(op), x_(along(r.inputs[0], resolve_axis(op.axis, r.inputs[0].shape.rank()))) {
    const Operand& y = r.outputs[0];
    std::vector<bool> none(y.shape.size(), false);
    y_ = RowLayout(y.shape, y.strides, none).starts;
  }
  void run(const KernelArguments& a) override {
    const T* x = static_cast<const T*>(a.inputs[0]);
    auto* y = static_cast<int64_t*>(a.outputs[0]);
    for (size_t row = 0; row < y_.size(); ++row) {
      const T* in = x + x_.starts[row];
      size_t best = 0;
      for (size_t i = 1; i < x_.elements.size(); ++i) {
        if (replaces(in[x_.elements[i]], in[x_.elements[best]], op_.largest, op_.last)) best = i;
      }
      y[y_[row]] = static_cast<int64_t>(best);
    }
  }

 private:
  ArgExtreme op_;
  RowLayout x_;
  std::vector<int64_t> y_;
};

template <typename T>
class HardmaxKernel final : public Kernel {
 public:
  HardmaxKernel(const Hardmax& op, const KernelRequest& r) : x_(rows(op, r.inputs[0])), y_(rows(op, r.outputs[0])) {}
  void run(const KernelArguments& a) override {
    const T* x = static_cast<const T*>(a.inputs[0]);
    T* y = static_cast<T*>(a.outputs[0]);
    for (size_t row = 0; row < x_.starts.size(); ++row) {
      size_t best = 0;
      for (size_t i = 1; i < x_.elements.size(); ++i)
        if (is_larger(x[x_.starts[row] + x_.elements[i]], x[x_.starts[row] + x_.elements[best]])) best = i;
      for (size_t i = 0; i < y_.elements.size(); ++i) y[y_.starts[row] + y_.elements[i]] = i == best ? T{1} : T{0};
    }
  }

 private:
  static RowLayout rows(const Hardmax& op, const Operand& x) {
    const int64_t rank = x.shape.rank(), axis = op.flatten && op.axis == rank ? rank : resolve_axis(op.axis, rank);
    return {x.shape, x.strides, op.flatten ? from_dimension(rank, axis) : only_dimension(rank, axis)};
  }
  RowLayout x_, y_;
};

template <typename T>
class TopKKernel final : public Kernel {
 public:
  TopKKernel(const TopK& op, const KernelRequest& r)
      : TopKKernel(op, r, resolve_axis(op.axis, r.inputs[0].shape.rank())) {}
  size_t scratch_bytes() const override { return x_.elements.size() * sizeof(int64_t); }
  void run(const KernelArguments& a) override {
    const T* x = static_cast<const T*>(a.inputs[0]);
    T* values = static_cast<T*>(a.outputs[0]);
    auto* places = a.outputs.size() > 1 ? static_cast<int64_t*>(a.outputs[1]) : nullptr;
    auto* order = static_cast<int64_t*>(a.scratch);
    for (size_t row = 0; row < x_.starts.size(); ++row) {
      const T* in = x + x_.starts[row];
      const auto value = [&](int64_t i) { return in[x_.elements[static_cast<size_t>(i)]]; };
      std::iota(order, order + x_.elements.size(), 0);
      const auto better = [&](int64_t i, int64_t j) {
        const T left = value(i), right = value(j);
        if (is_larger(left, right)) return largest_;
        if (is_larger(right, left)) return !largest_;
        return i < j;
      };
      std::partial_sort(order, order + y_.elements.size(), order + x_.elements.size(), better);
      for (size_t i = 0; i < y_.elements.size(); ++i) {
        const int64_t at = y_.starts[row] + y_.elements[i];
        values[at] = value(order[i]);
        if (places) places[at] = order[i];
      }
    }
  }

 private:
  TopKKernel(const TopK& op, const KernelRequest& r, int64_t axis)
      : largest_(op.largest), x_(along(r.inputs[0], axis)), y_(along(r.outputs[0], axis)) {
    if (r.outputs.size() > 1 && r.outputs[1].strides != r.outputs[0].strides)
      throw Error("values and places lie differently");
  }
  bool largest_;
  RowLayout x_, y_;
};

class TopKGradientKernel final : public Kernel {
 public:
  TopKGradientKernel(const TopKGradient& op, const KernelRequest& r)
      : elements_(r.outputs[0].shape.elements()),
        dy_(along(r.inputs[0], resolve_axis(op.axis, r.inputs[0].shape.rank()))),
        dx_(along(r.outputs[0], resolve_axis(op.axis, r.inputs[0].shape.rank()))) {}
  void run(const KernelArguments& a) override {
    const auto* dy = static_cast<const float*>(a.inputs[0]);
    const auto* places = static_cast<const int64_t*>(a.inputs[1]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    std::fill_n(dx, elements_, 0.0f);
    for (size_t row = 0; row < dy_.starts.size(); ++row)
      for (int64_t element : dy_.elements) {
        const int64_t at = dy_.starts[row] + element;
        dx[dx_.starts[row] + dx_.elements[static_cast<size_t>(places[at])]] = dy[at];
      }
  }

 private:
  int64_t elements_;
  RowLayout dy_, dx_;
};

template <typename T>
class CumSumKernel final : public Kernel {
 public:
  CumSumKernel(const CumSum& op, const KernelRequest& r, int64_t axis)
      : op_(op), x_(along(r.inputs[0], axis)), y_(along(r.outputs[0], axis)) {}
  void run(const KernelArguments& a) override {
    const T* x = static_cast<const T*>(a.inputs[0]);
    T* y = static_cast<T*>(a.outputs[0]);
    const size_t n = x_.elements.size();
    for (size_t row = 0; row < x_.starts.size(); ++row) {
      T sum{};
      for (size_t k = 0; k < n; ++k) {
        const size_t i = op_.reverse ? n - 1 - k : k;
        const T v = x[x_.starts[row] + x_.elements[i]];
        const T before = sum;
        sum = static_cast<T>(sum + v);
        y[y_.starts[row] + y_.elements[i]] = op_.exclusive ? before : sum;
      }
    }
  }

 private:
  CumSum op_;
  RowLayout x_, y_;
};

template <template <typename> class K, typename Op>
std::unique_ptr<Kernel> make(const Op& op, const KernelRequest& r) {
  std::unique_ptr<Kernel> kernel;
  visit_arithmetic(r.inputs[0].dtype, [&](auto tag) { kernel = std::make_unique<K<decltype(tag)>>(op, r); });
  return kernel;
}

std::unique_ptr<Kernel> make_top_k_gradient(const TopKGradient& op, const KernelRequest& r) {
  return std::make_unique<TopKGradientKernel>(op, r);
}

std::unique_ptr<Kernel> make_cum_sum(const CumSum& op, const KernelRequest& r) {
  std::unique_ptr<Kernel> kernel;
  visit_arithmetic(r.inputs[0].dtype, [&](auto tag) {
    kernel = std::make_unique<CumSumKernel<decltype(tag)>>(op, r, CumSum::axis(types_of(r.inputs)));
  });
  return kernel;
}

}  // namespace

void register_selection(KernelTable& table) {
  table.add<ArgExtreme>(make<ArgExtremeKernel, ArgExtreme>);
  table.add<Hardmax>(make<HardmaxKernel, Hardmax>);
  table.add<TopK>(make<TopKKernel, TopK>);
  table.add<TopKGradient>(make_top_k_gradient);
  table.add<CumSum>(make_cum_sum);
}

}  // namespace graft::cpu
