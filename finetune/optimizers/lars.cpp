#include "finetune/optimizers/rules/lars.h"

#include "finetune/optimizers/norms.h"
#include "runtime/core/isa.h"

namespace graft {
namespace {

void move(int64_t n, const rules::Lars& rule, float rate, float decay, float l1, const float* g, float* w, float* v) {
  cpu::on_best_isa([=] {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) rule(w[i], g[i], v[i], rate, decay, l1);
  });
}

class Lars final : public Optimizer {
 public:
  explicit Lars(const rules::Lars& rule) : rule_(rule) {}
  int slots() const override { return 1; }
  float default_lr() const override { return 10.0f; }
  void step_on(std::span<const size_t> which, float lr, int64_t, const std::vector<Parameter>& parameters,
               OptimizerState& state) override {
    const auto weights = [&](size_t p) { return parameters[p].tensor->data<float>().data(); };
    const auto w_squares = sums_of_pieces(parameters, which, [&](size_t p, int64_t first, int64_t last) {
      return sum_of_squares(weights(p) + first, last - first);
    });
    const auto g_squares = sums_of_pieces(parameters, which, [&](size_t p, int64_t first, int64_t last) {
      return sum_of_squares(parameters[p].gradient + first, last - first);
    });
    for_each_part(parameters, which, [&](size_t p, int64_t first, int64_t last) {
      const Parameter& parameter = parameters[p];
      const double local = rule_.local(w_squares[p], g_squares[p], static_cast<double>(parameter.weight_decay),
                                       parameter.tensor->shape().rank() > 1);
      move(last - first, rule_, static_cast<float>(static_cast<double>(lr * parameter.lr_scale) * local),
           parameter.weight_decay, parameter.l1, parameter.gradient + first, weights(p) + first,
           state.of(p, 0).data() + first);
    });
  }

 private:
  rules::Lars rule_;
};

}  // namespace

OptimizerPtr rules::Lars::make(const Options& options) { return std::make_unique<graft::Lars>(rules::Lars(options)); }

}  // namespace graft
