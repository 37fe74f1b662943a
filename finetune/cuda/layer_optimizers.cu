#include "finetune/cuda/training_kernels.h"

#include <new>

#include "finetune/cuda/pieces.h"
#include "finetune/optimizers/rules/lamb.h"
#include "finetune/optimizers/rules/lars.h"

namespace graft::cuda {
namespace {

/// A parameter as kernels meet it.
struct Layer {
  float *w, *a, *b;
  const float* g;
  float rate, decay, l1;
  int matrix;
};

struct SquareOfWeight {
  const Layer* layers;
  GRAFT_DEVICE double operator()(int32_t t, int64_t i) const {
    const auto w = static_cast<double>(layers[t].w[i]);
    return w * w;
  }
};

struct SquareOfGradient {
  const Layer* layers;
  GRAFT_DEVICE double operator()(int32_t t, int64_t i) const {
    const auto g = static_cast<double>(layers[t].g[i]);
    return g * g;
  }
};

/// What both rules have: the parameters as this step finds them, and sums over each.
class LayerUpdate : public FusedOptimizer {
 public:
  LayerUpdate(const std::vector<ParameterView>& parameters, const Launcher& launcher)
      : parameters_(parameters),
        launcher_(launcher),
        table_(parameters.size(), launcher.device()),
        layers_(table_.device()),
        pieces_(counts_of(parameters), launcher.device()),
        w_squares_(pieces_, launcher.device()),
        other_squares_(pieces_, launcher.device()) {}

  void prepare(float lr, int64_t) override {
    for (size_t p = 0; p < parameters_.size(); ++p) {
      const ParameterView& d = parameters_[p];
      table_.host()[p] = {d.weights,       d.slots[0],     d.slots[1], d.gradient,
                          lr * d.lr_scale, d.weight_decay, d.l1,       d.rows > 0};
    }
    table_.upload();
  }

 protected:
  std::vector<ParameterView> parameters_;
  const Launcher& launcher_;
  Table<Layer> table_;
  const Layer* layers_;
  Pieces pieces_;
  TensorSums w_squares_, other_squares_;
};

struct LarsMove {
  rules::Lars rule;
  const Layer* layers;
  const double *w_squares, *g_squares;
  const int* enabled;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const {
    if (enabled && !*enabled) return;
    const Layer& l = layers[t];
    const double local = rule.local(w_squares[t], g_squares[t], static_cast<double>(l.decay), l.matrix != 0);
    rule(l.w[i], l.g[i], l.a[i], static_cast<float>(static_cast<double>(l.rate) * local), l.decay, l.l1);
  }
};

class LarsUpdate final : public LayerUpdate {
 public:
  LarsUpdate(const rules::Lars& rule, const std::vector<ParameterView>& parameters, const Launcher& launcher)
      : LayerUpdate(parameters, launcher), rule_(rule) {}
  void apply(const int* enabled) override {
    w_squares_.compute(launcher_, pieces_, SquareOfWeight{layers_});
    other_squares_.compute(launcher_, pieces_, SquareOfGradient{layers_});
    pieces_.each(launcher_, LarsMove{rule_, layers_, w_squares_.device(), other_squares_.device(), enabled});
  }

 private:
  rules::Lars rule_;
};

struct LambMoments {
  const rules::Lamb* rule;
  const Layer* layers;
  const int* enabled;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const {
    if (enabled && !*enabled) return;
    const Layer& l = layers[t];
    rule->add(l.w[i], l.g[i], l.l1, l.a[i], l.b[i]);
  }
};

struct SquareOfDirection {
  const rules::Lamb* rule;
  const Layer* layers;
  GRAFT_DEVICE double operator()(int32_t t, int64_t i) const {
    const Layer& l = layers[t];
    const auto r = static_cast<double>(rule->direction(l.w[i], l.a[i], l.b[i], l.decay));
    return r * r;
  }
};

struct LambMove {
  const rules::Lamb* rule;
  const Layer* layers;
  const double *w_squares, *r_squares;
  const int* enabled;
  GRAFT_DEVICE void operator()(int32_t t, int64_t i) const {
    if (enabled && !*enabled) return;
    const Layer& l = layers[t];
    const auto rate = static_cast<float>(static_cast<double>(l.rate) * rules::Lamb::ratio(w_squares[t], r_squares[t]));
    l.w[i] -= rate * rule->direction(l.w[i], l.a[i], l.b[i], l.decay);
  }
};

class LambUpdate final : public LayerUpdate {
 public:
  LambUpdate(const rules::Lamb& rule, const std::vector<ParameterView>& parameters, const Launcher& launcher)
      : LayerUpdate(parameters, launcher), rule_(rule), bound_(1, launcher.device()) {}
  void prepare(float lr, int64_t step) override {
    LayerUpdate::prepare(lr, step);
    rule_.prepare(step);
    new (bound_.host()) rules::Lamb(rule_);
    bound_.upload();
  }
  void apply(const int* enabled) override {
    const rules::Lamb* const rule = bound_.device();
    pieces_.each(launcher_, LambMoments{rule, layers_, enabled});
    w_squares_.compute(launcher_, pieces_, SquareOfWeight{layers_});
    other_squares_.compute(launcher_, pieces_, SquareOfDirection{rule, layers_});
    pieces_.each(launcher_, LambMove{rule, layers_, w_squares_.device(), other_squares_.device(), enabled});
  }

 private:
  rules::Lamb rule_;
  Table<rules::Lamb> bound_;  // the rule as this step finds it
};

}  // namespace

std::unique_ptr<FusedOptimizer> make_lars(const SettingValues& values, const std::vector<ParameterView>& parameters,
                                          const Launcher& launcher) {
  return std::make_unique<LarsUpdate>(rules::Lars(component_options<rules::Lars>(values)), parameters, launcher);
}

std::unique_ptr<FusedOptimizer> make_lamb(const SettingValues& values, const std::vector<ParameterView>& parameters,
                                          const Launcher& launcher) {
  return std::make_unique<LambUpdate>(rules::Lamb(component_options<rules::Lamb>(values)), parameters, launcher);
}

}  // namespace graft::cuda
