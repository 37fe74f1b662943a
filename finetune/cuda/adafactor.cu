#include "finetune/optimizers/rules/adafactor.h"

#include <new>

#include "finetune/cuda/pieces.h"
#include "finetune/cuda/training_kernels.h"

namespace graft::cuda {
namespace {

/// A parameter as kernels meet it. A matrix has `rows` > 0, and its state is R and then C; a vector's is v.
struct Tensor2d {
  float *w, *state;
  const float* g;
  float rate, keep, l1;
  int64_t rows, columns;
  GRAFT_DEVICE float gradient(int64_t i) const { return rules::Adafactor::gradient(w[i], g[i], l1); }
};

/// A row or a column of one of the matrices; columns count on from the rows.
struct Line {
  int32_t tensor;
  int64_t at;
};

struct MeanOfLine {
  const rules::Adafactor* rule;
  const Tensor2d* tensors;
  const Line* lines;
  const int* enabled;
  GRAFT_DEVICE void operator()(int64_t i, Row row) const {
    if (enabled && !*enabled) return;
    const Line line = lines[i];
    const Tensor2d& t = tensors[line.tensor];
    const bool is_row = line.at < t.rows;
    const int64_t count = is_row ? t.columns : t.rows, first = is_row ? line.at * t.columns : line.at - t.rows,
                  step = is_row ? 1 : t.columns;
    double sum = 0;
    for (int64_t k = row.lane(); k < count; k += row.size()) sum += rule->square(t.gradient(first + k * step));
    sum = row.sum(sum);
    if (row.lane() == 0) t.state[line.at] = rule->mixed(t.state[line.at], sum / static_cast<double>(count));
  }
};

struct VectorMoments {
  const rules::Adafactor* rule;
  const Tensor2d* tensors;
  const int* enabled;
  GRAFT_DEVICE void operator()(int32_t tensor, int64_t i) const {
    const Tensor2d& t = tensors[tensor];
    if (t.rows > 0 || (enabled && !*enabled)) return;
    t.state[i] = rule->mixed(t.state[i], rule->square(t.gradient(i)));
  }
};

struct MeanOfRows {
  const Tensor2d* tensors;
  double* means;
  GRAFT_DEVICE void operator()(int64_t tensor, Row row) const {
    const Tensor2d& t = tensors[tensor];
    double sum = 0;
    for (int64_t i = row.lane(); i < t.rows; i += row.size()) sum += static_cast<double>(t.state[i]);
    sum = row.sum(sum);
    if (row.lane() == 0) means[tensor] = t.rows > 0 ? sum / static_cast<double>(t.rows) : 1;
  }
};

/// u, not yet clipped.
struct Direction {
  const Tensor2d* tensors;
  const double* means;
  GRAFT_DEVICE float operator()(int32_t tensor, int64_t i) const {
    const Tensor2d& t = tensors[tensor];
    const float g = t.gradient(i);
    if (t.rows == 0) return rules::Adafactor::direction(g, t.state[i]);
    return rules::Adafactor::direction(g, t.state[i / t.columns], t.state[t.rows + i % t.columns], means[tensor]);
  }
};

struct SquareOfDirection {
  Direction direction;
  GRAFT_DEVICE double operator()(int32_t tensor, int64_t i) const {
    const auto u = static_cast<double>(direction(tensor, i));
    return u * u;
  }
};

struct Move {
  const rules::Adafactor* rule;
  Direction direction;
  const double* squares;
  const int64_t* counts;
  const int* enabled;
  GRAFT_DEVICE void operator()(int32_t tensor, int64_t i) const {
    if (enabled && !*enabled) return;
    const Tensor2d& t = direction.tensors[tensor];
    t.w[i] = t.keep * t.w[i] - rule->rate(t.rate, squares[tensor], counts[tensor]) * direction(tensor, i);
  }
};

class AdafactorUpdate final : public FusedOptimizer {
 public:
  AdafactorUpdate(const rules::Adafactor& rule, const std::vector<ParameterView>& parameters, const Launcher& launcher)
      : rule_(rule),
        parameters_(parameters),
        launcher_(launcher),
        bound_(1, launcher.device()),
        tensors_(parameters.size(), launcher.device()),
        means_(parameters.size(), launcher.device()),
        lines_(number_of_lines(parameters), launcher.device()),
        pieces_(counts_of(parameters), launcher.device()),
        squares_(pieces_, launcher.device()) {
    Line* next = lines_.host();
    for (size_t p = 0; p < parameters.size(); ++p)
      for (int64_t at = 0; at < lines_of(parameters[p]); ++at) *next++ = {static_cast<int32_t>(p), at};
    lines_.upload();
    launcher.device().synchronize();
  }

  void prepare(float lr, int64_t step) override {
    rule_.prepare(step);
    new (bound_.host()) rules::Adafactor(rule_);
    bound_.upload();
    for (size_t p = 0; p < parameters_.size(); ++p) {
      const ParameterView& d = parameters_[p];
      const float rate = lr * d.lr_scale;
      tensors_.host()[p] = {d.weights, d.slots[0], d.gradient, rate, 1 - rate * d.weight_decay,
                            d.l1,      d.rows,     columns(d)};
    }
    tensors_.upload();
  }

  void apply(const int* enabled) override {
    const rules::Adafactor* const rule = bound_.device();
    const Tensor2d* const tensors = tensors_.device();
    const Direction direction{tensors, means_.device()};
    launcher_.rows(static_cast<int64_t>(lines_.count()), MeanOfLine{rule, tensors, lines_.device(), enabled});
    pieces_.each(launcher_, VectorMoments{rule, tensors, enabled});
    launcher_.rows(static_cast<int64_t>(parameters_.size()), MeanOfRows{tensors, means_.device()});
    squares_.compute(launcher_, pieces_, SquareOfDirection{direction});
    pieces_.each(launcher_, Move{rule, direction, squares_.device(), pieces_.counts(), enabled});
  }

 private:
  static int64_t columns(const ParameterView& p) { return p.rows > 0 ? p.count / p.rows : 0; }
  static int64_t lines_of(const ParameterView& p) { return p.rows > 0 ? p.rows + columns(p) : 0; }
  static size_t number_of_lines(const std::vector<ParameterView>& parameters) {
    int64_t all = 0;
    for (const ParameterView& p : parameters) all += lines_of(p);
    return static_cast<size_t>(all);
  }

  rules::Adafactor rule_;
  std::vector<ParameterView> parameters_;
  const Launcher& launcher_;
  Table<rules::Adafactor> bound_;  // the rule as this step finds it
  Table<Tensor2d> tensors_;
  Table<double> means_;  // of R
  Table<Line> lines_;
  Pieces pieces_;
  TensorSums squares_;  // of u
};

}  // namespace

std::unique_ptr<FusedOptimizer> make_adafactor(const SettingValues& values,
                                               const std::vector<ParameterView>& parameters, const Launcher& launcher) {
  const rules::Adafactor rule(component_options<rules::Adafactor>(values));
  return std::make_unique<AdafactorUpdate>(rule, parameters, launcher);
}

}  // namespace graft::cuda
