#pragma once

#include <algorithm>
#include <cmath>
#include <memory>

#include "runtime/core/backend.h"
#include "runtime/cpu/row_layout.h"
#include "runtime/cpu/row_sums.h"
#include "runtime/cpu/vector/rows.h"
#include "runtime/ops/norm_view.h"

namespace graft::cpu {

/// Mean and 1/√(σ² + ε) of a row without gaps.
struct RowStatistics {
  float mean, inverse;
  static RowStatistics of(const Normalise& op, int64_t n, const float* x) {
    const RowLoops& loops = row_loops();
    const auto count = static_cast<double>(n);
    const double mean = op.root_mean_square ? 0 : loops.sum(n, x) / count;
    return {static_cast<float>(mean), static_cast<float>(1 / std::sqrt(loops.squared_deviations(n, x, mean) / count +
                                                                       static_cast<double>(op.epsilon)))};
  }
};

/// NormaliseGradient where rows lie one behind the other and have a number of scale and bias for each element. With
/// x̂ = (x - μ)·r and g = dy·scale over a row of n: dx = r·(g - Σg/n - x̂·Σ(g·x̂)/n) [Ba et al. 2016]; the middle term
/// is absent where μ is not subtracted.
template <typename Rows>
class RowNormGradient final : public Kernel {
 public:
  /// Null where rows or parameters lie otherwise.
  static std::unique_ptr<Kernel> make(const NormaliseGradient& op, const KernelRequest& r) {
    const Shape& x = r.inputs[1].shape;
    const int64_t n = r.inputs[2].shape.elements();
    if (n == 0 || x.elements() == 0) return nullptr;
    const NormView view(op.forward, x);
    for (const Operand* o : {&r.inputs[0], &r.inputs[1], &r.outputs[0]}) {
      const RowLayout rows(view.shape, view.data(*o), view.inner);
      if (rows.length() != n || !rows.is_contiguous()) return nullptr;
      for (int64_t i = 0; i < rows.rows(); ++i)
        if (rows.starts[static_cast<size_t>(i)] != i * n) return nullptr;
    }
    for (const Operand* o : {&r.inputs[2], &r.outputs[1], &r.outputs[2]}) {
      const RowLayout parameters(view.shape, view.parameters(*o), view.inner);
      if (!parameters.is_contiguous() ||
          std::any_of(parameters.starts.begin(), parameters.starts.end(), [](int64_t at) { return at != 0; }))
        return nullptr;
    }
    return std::make_unique<RowNormGradient>(op.forward, x.elements() / n, n);
  }

  RowNormGradient(const Normalise& op, int64_t rows, int64_t n) : op_(op), n_(n), sums_(rows, 2 * n) {}
  size_t scratch_bytes() const override {
    return sums_.scratch_bytes() + static_cast<size_t>(kRowPieces * kBuffers * n_) * sizeof(float);
  }
  void run(const KernelArguments& a) override {
    using Number = typename Rows::Number;
    const auto *dy = static_cast<const Number*>(a.inputs[0]), *x = static_cast<const Number*>(a.inputs[1]);
    const auto* scale = static_cast<const float*>(a.inputs[2]);
    auto* dx = static_cast<Number*>(a.outputs[0]);
    auto* buffers = reinterpret_cast<float*>(static_cast<std::byte*>(a.scratch) + sums_.scratch_bytes());
    const RowLoops& loops = row_loops();
    const auto count = static_cast<double>(n_);
    sums_.run(a.scratch, [&](int64_t row, float* parameters, int64_t piece) {
      float* const buffer = buffers + piece * kBuffers * n_;
      const float* const d = Rows::read(n_, dy + row * n_, buffer);
      const float* const in = Rows::read(n_, x + row * n_, buffer + n_);
      float* const to = Rows::target(dx + row * n_, buffer + 2 * n_);
      const RowStatistics s = RowStatistics::of(op_, n_, in);
      double sum = 0, sum_x = 0;
      loops.norm_sums(n_, d, in, scale, s.mean, s.inverse, &sum, &sum_x);
      loops.norm_gradient(n_, d, in, scale, s.mean, s.inverse,
                          op_.root_mean_square ? 0.0f : static_cast<float>(sum / count),
                          static_cast<float>(sum_x / count), to, parameters, parameters + n_);
      Rows::write(n_, to, dx + row * n_);
    });
    parallel_for(n_, 1024, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        static_cast<float*>(a.outputs[1])[i] = static_cast<float>(sums_.sum(a.scratch, i));
        static_cast<float*>(a.outputs[2])[i] = static_cast<float>(sums_.sum(a.scratch, n_ + i));
      }
    });
  }

 private:
  static constexpr int64_t kBuffers = 3;
  Normalise op_;
  int64_t n_;
  PiecewiseSums sums_;
};

}  // namespace graft::cpu
