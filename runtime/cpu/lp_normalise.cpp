#include "runtime/ops/lp_normalise.h"

#include <cmath>

#include "runtime/core/parallel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/row_layout.h"

namespace graft::cpu {
namespace {

RowLayout rows_of(const LpNormalise& op, const Operand& o) {
  return {o.shape, o.strides, only_dimension(o.shape.rank(), resolve_axis(op.axis, o.shape.rank()))};
}

/// ‖x‖ₚ of a row, p 1 or 2.
double norm(int64_t p, const float* x, const std::vector<int64_t>& elements) {
  double sum = 0;
  for (int64_t at : elements) {
    const auto v = static_cast<double>(x[at]);
    sum += p == 1 ? std::fabs(v) : v * v;
  }
  return p == 1 ? sum : std::sqrt(sum);
}

class LpNormaliseKernel final : public Kernel {
 public:
  LpNormaliseKernel(const LpNormalise& op, const KernelRequest& r)
      : p_(op.p), x_(rows_of(op, r.inputs[0])), y_(rows_of(op, r.outputs[0])) {}
  void run(const KernelArguments& a) override {
    parallel_for(x_.rows(), 64, [&](int64_t first, int64_t last) {
      for (auto row = static_cast<size_t>(first); row < static_cast<size_t>(last); ++row) {
        const float* x = static_cast<const float*>(a.inputs[0]) + x_.starts[row];
        float* y = static_cast<float*>(a.outputs[0]) + y_.starts[row];
        const double length = norm(p_, x, x_.elements), inverse = length == 0 ? 0 : 1 / length;
        for (size_t i = 0; i < x_.elements.size(); ++i)
          y[y_.elements[i]] = static_cast<float>(static_cast<double>(x[x_.elements[i]]) * inverse);
      }
    });
  }

 private:
  int64_t p_;
  RowLayout x_, y_;
};

class LpNormaliseGradientKernel final : public Kernel {
 public:
  LpNormaliseGradientKernel(const LpNormaliseGradient& op, const KernelRequest& r)
      : p_(op.forward.p),
        dy_(rows_of(op.forward, r.inputs[0])),
        x_(rows_of(op.forward, r.inputs[1])),
        dx_(rows_of(op.forward, r.outputs[0])) {}
  void run(const KernelArguments& a) override {
    parallel_for(x_.rows(), 64, [&](int64_t first, int64_t last) {
      for (auto row = static_cast<size_t>(first); row < static_cast<size_t>(last); ++row) {
        differentiate(static_cast<const float*>(a.inputs[0]) + dy_.starts[row],
                      static_cast<const float*>(a.inputs[1]) + x_.starts[row],
                      static_cast<float*>(a.outputs[0]) + dx_.starts[row]);
      }
    });
  }

 private:
  void differentiate(const float* dy, const float* x, float* dx) const {
    const double length = norm(p_, x, x_.elements), inverse = length == 0 ? 0 : 1 / length;
    double sum = 0;  // Σ dy·y
    for (size_t i = 0; i < x_.elements.size(); ++i)
      sum += static_cast<double>(dy[dy_.elements[i]]) * static_cast<double>(x[x_.elements[i]]) * inverse;
    for (size_t i = 0; i < x_.elements.size(); ++i) {
      const auto v = static_cast<double>(x[x_.elements[i]]);
      const double direction = p_ == 2 ? v * inverse : static_cast<double>((v > 0) - (v < 0));
      dx[dx_.elements[i]] = static_cast<float>((static_cast<double>(dy[dy_.elements[i]]) - direction * sum) * inverse);
    }
  }

  int64_t p_;
  RowLayout dy_, x_, dx_;
};

template <typename K, typename Op>
std::unique_ptr<Kernel> make(const Op& op, const KernelRequest& request) {
  require_f32(request);
  return std::make_unique<K>(op, request);
}

}  // namespace

void register_lp_normalise(KernelTable& table) {
  table.add<LpNormalise>(make<LpNormaliseKernel, LpNormalise>);
  table.add<LpNormaliseGradient>(make<LpNormaliseGradientKernel, LpNormaliseGradient>);
}

}  // namespace graft::cpu
