#include "runtime/ops/norm_view.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/core/parallel.h"
#include "runtime/cpu/float32_rows.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/row_layout.h"
#include "runtime/cpu/row_norm_gradient.h"
#include "runtime/cpu/vector/rows.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

RowLayout data(const NormView& view, const Operand& x) { return {view.shape, view.data(x), view.inner}; }
RowLayout parameters(const NormView& view, const Operand& scale) {
  return {view.shape, view.parameters(scale), view.inner};
}

using Statistics = RowStatistics;

Statistics measure(const Normalise& op, const float* x, const std::vector<int64_t>& elements) {
  const auto count = static_cast<double>(elements.size());
  double sum = 0, squares = 0;
  if (!op.root_mean_square)
    for (int64_t at : elements) sum += static_cast<double>(x[at]);
  const double mean = sum / count;
  for (int64_t at : elements) squares += (static_cast<double>(x[at]) - mean) * (static_cast<double>(x[at]) - mean);
  return {static_cast<float>(mean),
          static_cast<float>(1 / std::sqrt(squares / count + static_cast<double>(op.epsilon)))};
}

class NormaliseKernel final : public Kernel {
 public:
  NormaliseKernel(const Normalise& op, const KernelRequest& r)
      : op_(op),
        view_(op, r.inputs[0].shape),
        x_(data(view_, r.inputs[0])),
        y_(data(view_, r.outputs[0])),
        parameters_(parameters(view_, r.inputs[1])),
        bias_(r.inputs.size() > 2 && r.inputs[2].present),
        contiguous_(x_.is_contiguous() && y_.is_contiguous() && parameters_.is_contiguous()) {
    if (bias_ && (r.inputs[2].shape != r.inputs[1].shape || r.inputs[2].strides != r.inputs[1].strides))
      throw Error("scale and bias have different shapes");
    for (size_t i = 1; i < r.outputs.size(); ++i)
      statistics_.push_back(RowLayout(r.outputs[i].shape, r.outputs[i].strides, view_.inner).starts);
  }
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    const auto* scale = static_cast<const float*>(a.inputs[1]);
    const auto* bias = bias_ ? static_cast<const float*>(a.inputs[2]) : nullptr;
    auto* y = static_cast<float*>(a.outputs[0]);
    const size_t n = x_.elements.size();
    parallel_for(x_.rows(), 1, [&](int64_t first, int64_t last) {
      for (auto row = static_cast<size_t>(first); row < static_cast<size_t>(last); ++row) {
        const float* in = x + x_.starts[row];
        float* out = y + y_.starts[row];
        const int64_t parameter = parameters_.starts[row];
        const Statistics s =
            contiguous_ ? Statistics::of(op_, static_cast<int64_t>(n), in) : measure(op_, in, x_.elements);
        if (contiguous_)
          row_loops().normalise(static_cast<int64_t>(n), in, s.mean, s.inverse, scale + parameter,
                                bias ? bias + parameter : nullptr, out);
        for (size_t i = 0; !contiguous_ && i < n; ++i) {
          const int64_t p = parameter + parameters_.elements[i];
          out[y_.elements[i]] = (in[x_.elements[i]] - s.mean) * s.inverse * scale[p] + (bias ? bias[p] : 0.0f);
        }
        for (size_t k = 0; k < statistics_.size(); ++k)
          static_cast<float*>(a.outputs[k + 1])[statistics_[k][row]] = k == 0 ? s.mean : s.inverse;
      }
    });
  }

 private:
  Normalise op_;
  NormView view_;
  RowLayout x_, y_, parameters_;
  bool bias_, contiguous_;
  std::vector<std::vector<int64_t>> statistics_;
};

/// As RowNormGradient, of rows and parameters that lie in any way.
class GradientKernel final : public Kernel {
 public:
  GradientKernel(const NormaliseGradient& op, const KernelRequest& r)
      : op_(op.forward),
        view_(op_, r.inputs[1].shape),
        dy_(data(view_, r.inputs[0])),
        x_(data(view_, r.inputs[1])),
        dx_(data(view_, r.outputs[0])),
        parameters_(parameters(view_, r.inputs[2])),
        sums_(parameters(view_, r.outputs[1])),
        parameter_count_(r.inputs[2].shape.elements()) {
    std::vector<int64_t> apart = sums_.elements;
    std::sort(apart.begin(), apart.end());
    every_row_has_all_ = std::adjacent_find(apart.begin(), apart.end()) == apart.end() &&
                         std::all_of(sums_.starts.begin(), sums_.starts.end(), [](int64_t at) { return at == 0; });
  }
  size_t scratch_bytes() const override {
    return static_cast<size_t>(2 * parameter_count_) * sizeof(double) +
           static_cast<size_t>(x_.rows()) * sizeof(Statistics);
  }
  void run(const KernelArguments& a) override {
    const auto *dy = static_cast<const float*>(a.inputs[0]), *x = static_cast<const float*>(a.inputs[1]),
               *scale = static_cast<const float*>(a.inputs[2]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    auto* sums = static_cast<double*>(a.scratch);
    auto* statistics = reinterpret_cast<Statistics*>(sums + 2 * parameter_count_);
    const size_t n = x_.elements.size();
    parallel_for(x_.rows(), 1, [&](int64_t first, int64_t last) {
      for (auto row = static_cast<size_t>(first); row < static_cast<size_t>(last); ++row) {
        const float *d = dy + dy_.starts[row], *in = x + x_.starts[row];
        const Statistics s = statistics[row] = measure(op_, in, x_.elements);
        double sum = 0, sum_x = 0;
        for (size_t i = 0; i < n; ++i) {
          const float g = d[dy_.elements[i]] * scale[parameters_.starts[row] + parameters_.elements[i]];
          sum += static_cast<double>(g);
          sum_x += static_cast<double>(g * (in[x_.elements[i]] - s.mean) * s.inverse);
        }
        const auto mean_g = op_.root_mean_square ? 0.0f : static_cast<float>(sum / static_cast<double>(n)),
                   mean_gx = static_cast<float>(sum_x / static_cast<double>(n));
        for (size_t i = 0; i < n; ++i) {
          const float g = d[dy_.elements[i]] * scale[parameters_.starts[row] + parameters_.elements[i]];
          dx[dx_.starts[row] + dx_.elements[i]] =
              s.inverse * (g - mean_g - (in[x_.elements[i]] - s.mean) * s.inverse * mean_gx);
        }
      }
    });
    sum_parameters(dy, x, statistics, sums);
    for (int64_t k = 0; k < 2; ++k)
      for (int64_t p = 0; p < parameter_count_; ++p)
        static_cast<float*>(a.outputs[static_cast<size_t>(k + 1)])[p] =
            static_cast<float>(sums[k * parameter_count_ + p]);
  }

 private:
  /// dL/dscale and dL/dbias, which rows share. Threads take parameters, not rows, so that each sum is made in order.
  void sum_parameters(const float* dy, const float* x, const Statistics* statistics, double* sums) const {
    std::fill_n(sums, 2 * parameter_count_, 0.0);
    const auto add = [&](size_t row, int64_t p, float d, float v) {
      sums[p] += static_cast<double>(d) * static_cast<double>((v - statistics[row].mean) * statistics[row].inverse);
      sums[parameter_count_ + p] += static_cast<double>(d);
    };
    if (!every_row_has_all_) {
      for (size_t row = 0; row < x_.starts.size(); ++row)
        for (size_t i = 0; i < x_.elements.size(); ++i)
          add(row, sums_.starts[row] + sums_.elements[i], dy[dy_.starts[row] + dy_.elements[i]],
              x[x_.starts[row] + x_.elements[i]]);
      return;
    }
    parallel_for(x_.length(), std::max<int64_t>(64, kGrain / std::max<int64_t>(1, x_.rows())),
                 [&](int64_t first, int64_t last) {
                   for (size_t row = 0; row < x_.starts.size(); ++row) {
                     const float *d = dy + dy_.starts[row], *in = x + x_.starts[row];
                     for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i)
                       add(row, sums_.elements[i], d[dy_.elements[i]], in[x_.elements[i]]);
                   }
                 });
  }

  Normalise op_;
  NormView view_;
  RowLayout dy_, x_, dx_, parameters_, sums_;
  int64_t parameter_count_;
  bool every_row_has_all_ = false;  // of the parameters, each one once
};

template <typename K, typename Op>
std::unique_ptr<Kernel> make(const Op& op, const KernelRequest& request) {
  require_f32(request);
  return std::make_unique<K>(op, request);
}

}  // namespace

void register_normalise(KernelTable& table) {
  table.add<Normalise>(make<NormaliseKernel, Normalise>);
  table.add<NormaliseGradient>([](const NormaliseGradient& op, const KernelRequest& r) {
    require_f32(r);
    auto rows = RowNormGradient<Float32Rows>::make(op, r);
    return rows ? std::move(rows) : std::make_unique<GradientKernel>(op, r);
  });
}

}  // namespace graft::cpu
