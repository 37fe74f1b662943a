#include "runtime/ops/softmax.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/parallel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/row_layout.h"
#include "runtime/cpu/vector/functions.h"
#include "runtime/cpu/vector/rows.h"

namespace graft::cpu {
namespace {

/// The rows a softmax runs along, for both meanings of the axis: flattened (rows are contiguous in logical order) or
/// single.
RowLayout rows_of(const Softmax& op, const Operand& x) {
  const int64_t rank = x.shape.rank();
  const size_t axis =
      op.flatten && op.axis == rank ? static_cast<size_t>(rank) : static_cast<size_t>(resolve_axis(op.axis, rank));
  std::vector<bool> inner(static_cast<size_t>(rank), false);
  for (size_t i = 0; i < inner.size(); ++i) inner[i] = op.flatten ? i >= axis : i == axis;
  return {x.shape, x.strides, inner};
}

/// Calls body(row) for each row, in all threads where there is enough to do (an exponential takes some nanoseconds).
template <typename Body>
void for_rows(const RowLayout& layout, const Body& body) {
  constexpr int64_t kElements = 1 << 11;
  parallel_for(layout.rows(), kElements / std::max<int64_t>(1, layout.length()), [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) body(static_cast<size_t>(row));
  });
}

class SoftmaxKernel final : public Kernel {
 public:
  SoftmaxKernel(const Softmax& op, const KernelRequest& r)
      : form_(op.form),
        x_(rows_of(op, r.inputs[0])),
        y_(rows_of(op, r.outputs[0])),
        contiguous_(x_.is_contiguous() && y_.is_contiguous()) {}
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    auto* y = static_cast<float*>(a.outputs[0]);
    const size_t n = x_.elements.size();
    const auto exponential = vector_functions().value[static_cast<size_t>(Unary::Kind::exp)];
    if (contiguous_ && form_ == Softmax::Form::probability && exponential) {
      const RowLoops& loops = row_loops();
      const auto length = static_cast<int64_t>(n);
      for_rows(x_, [&](size_t row) {
        const float* in = x + x_.starts[row];
        float* out = y + y_.starts[row];
        loops.subtract(length, in, loops.largest(length, in), out);
        exponential(length, out, 0, 0, out);
        loops.scale(length, out, static_cast<float>(1 / loops.sum(length, out)), out);
      });
      return;
    }
    for_rows(x_, [&](size_t row) {
      const float* in = x + x_.starts[row];
      float* out = y + y_.starts[row];
      float largest = -std::numeric_limits<float>::infinity();
      for (size_t i = 0; i < n; ++i) largest = std::max(largest, in[x_.elements[i]]);
      double sum = 0;
      for (size_t i = 0; i < n; ++i) sum += static_cast<double>(std::exp(in[x_.elements[i]] - largest));
      const float log_sum = static_cast<float>(std::log(sum)), inverse = static_cast<float>(1 / sum);
      for (size_t i = 0; i < n; ++i) {
        const float shifted = in[x_.elements[i]] - largest;
        out[y_.elements[i]] = form_ == Softmax::Form::probability ? std::exp(shifted) * inverse : shifted - log_sum;
      }
    });
  }

 private:
  Softmax::Form form_;
  RowLayout x_, y_;
  bool contiguous_;
};

/// softmax: dx = y·(dy - Σ dy·y); log-softmax: dx = dy - exp(y)·Σ dy.
class SoftmaxGradientKernel final : public Kernel {
 public:
  SoftmaxGradientKernel(const SoftmaxGradient& op, const KernelRequest& r)
      : form_(op.forward.form),
        dy_(rows_of(op.forward, r.inputs[0])),
        y_(rows_of(op.forward, r.inputs[1])),
        dx_(rows_of(op.forward, r.outputs[0])),
        contiguous_(dy_.is_contiguous() && y_.is_contiguous() && dx_.is_contiguous()) {}
  void run(const KernelArguments& a) override {
    const auto *dy = static_cast<const float*>(a.inputs[0]), *y = static_cast<const float*>(a.inputs[1]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    const size_t n = y_.elements.size();
    for_rows(y_, [&](size_t row) {
      const float *g = dy + dy_.starts[row], *v = y + y_.starts[row];
      float* out = dx + dx_.starts[row];
      double sum = 0;
      const bool probability = form_ == Softmax::Form::probability;
      if (contiguous_ && probability) {
        const RowLoops& loops = row_loops();
        const auto length = static_cast<int64_t>(n);
        return loops.softmax_gradient(length, g, v, static_cast<float>(loops.dot(length, g, v)), out);
      }
      for (size_t i = 0; i < n; ++i)
        sum += static_cast<double>(g[dy_.elements[i]]) * (probability ? static_cast<double>(v[y_.elements[i]]) : 1.0);
      for (size_t i = 0; i < n; ++i) {
        const float value = v[y_.elements[i]], slope = g[dy_.elements[i]], total = static_cast<float>(sum);
        out[dx_.elements[i]] = probability ? value * (slope - total) : slope - std::exp(value) * total;
      }
    });
  }

 private:
  Softmax::Form form_;
  RowLayout dy_, y_, dx_;
  bool contiguous_;
};

template <typename K, typename Op>
std::unique_ptr<Kernel> make(const Op& op, const KernelRequest& request) {
  require_f32(request);
  return std::make_unique<K>(op, request);
}

}  // namespace

void register_softmax(KernelTable& table) {
  table.add<Softmax>(make<SoftmaxKernel, Softmax>);
  table.add<SoftmaxGradient>(make<SoftmaxGradientKernel, SoftmaxGradient>);
}

}  // namespace graft::cpu
