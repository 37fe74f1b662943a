#include "finetune/optimizers/rules/adafactor.h"

#include "finetune/optimizers/norms.h"

namespace graft {
namespace {

/// A tensor as rows of `columns` neighbours.
struct Matrix {
  int64_t rows, columns;
  explicit Matrix(const Parameter& p)
      : rows(p.tensor->shape()[0]), columns(rows > 0 ? p.tensor->elements() / rows : 0) {}
};

bool is_matrix(const Parameter& p) { return p.tensor->shape().rank() > 1; }

class Adafactor final : public Optimizer {
 public:
  explicit Adafactor(const rules::Adafactor& rule) : rule_(rule) {}
  int slots() const override { return 1; }
  /// R, then C.
  int64_t slot_elements(int, const Parameter& p) const override {
    return is_matrix(p) ? Matrix(p).rows + Matrix(p).columns : p.tensor->elements();
  }
  float default_lr() const override { return 3e-3f; }
  float default_weight_decay() const override { return 1e-2f; }
  void step_on(std::span<const size_t> which, float lr, int64_t step, const std::vector<Parameter>& parameters,
               OptimizerState& state) override {
    rule_.prepare(step);
    for (const size_t p : which) {
      if (is_matrix(parameters[p]))
        step_matrix(parameters[p], lr * parameters[p].lr_scale, state.of(p, 0).data());
      else
        step_vector(parameters, p, lr * parameters[p].lr_scale, state.of(p, 0).data());
    }
  }

 private:
  static constexpr int64_t kWorthThreads = 65536, kColumns = 64;

  /// Every sum has its own order, whatever the threads: rows by row, columns by column.
  void step_matrix(const Parameter& p, float lr, float* state) const {
    const Matrix m(p);
    if (p.tensor->elements() == 0) return;
    float *const w = p.tensor->data<float>().data(), *const row_means = state, *const column_means = state + m.rows;
    const float* const g = p.gradient;
    const bool threads = m.rows * m.columns > kWorthThreads;
    const auto for_rows = [&](const auto& body) {
      parallel_for(m.rows, threads ? 1 : m.rows, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) body(i);
      });
    };
    for_rows([&](int64_t i) {
      double sum = 0;
      for (int64_t at = i * m.columns; at < (i + 1) * m.columns; ++at)
        sum += rule_.square(rules::Adafactor::gradient(w[at], g[at], p.l1));
      row_means[i] = rule_.mixed(row_means[i], sum / static_cast<double>(m.columns));
    });
    const int64_t blocks = (m.columns + kColumns - 1) / kColumns;
    parallel_for(blocks, threads ? 1 : blocks, [&](int64_t begin, int64_t end) {
      for (int64_t first = begin * kColumns; first < std::min(m.columns, end * kColumns); first += kColumns) {
        const int64_t count = std::min(kColumns, m.columns - first);
        double sums[kColumns] = {};
        for (int64_t i = 0; i < m.rows; ++i)
          for (int64_t j = 0; j < count; ++j) {
            const int64_t at = i * m.columns + first + j;
            sums[j] += rule_.square(rules::Adafactor::gradient(w[at], g[at], p.l1));
          }
        for (int64_t j = 0; j < count; ++j)
          column_means[first + j] = rule_.mixed(column_means[first + j], sums[j] / static_cast<double>(m.rows));
      }
    });
    double mean = 0;
    for (int64_t i = 0; i < m.rows; ++i) mean += static_cast<double>(row_means[i]);
    mean /= static_cast<double>(m.rows);
    const auto direction = [&](int64_t i, int64_t j) {
      const int64_t at = i * m.columns + j;
      return rules::Adafactor::direction(rules::Adafactor::gradient(w[at], g[at], p.l1), row_means[i], column_means[j],
                                         mean);
    };
    std::vector<double> squares(static_cast<size_t>(m.rows));
    for_rows([&](int64_t i) {
      for (int64_t j = 0; j < m.columns; ++j) {
        const auto u = static_cast<double>(direction(i, j));
        squares[static_cast<size_t>(i)] += u * u;
      }
    });
    const float rate = rule_.rate(lr, std::accumulate(squares.begin(), squares.end(), 0.0), m.rows * m.columns),
                keep = 1 - lr * p.weight_decay;
    for_rows([&](int64_t i) {
      for (int64_t j = 0; j < m.columns; ++j) {
        float& weight = w[i * m.columns + j];
        weight = keep * weight - rate * direction(i, j);
      }
    });
  }

  void step_vector(const std::vector<Parameter>& parameters, size_t which, float lr, float* v) const {
    const Parameter& p = parameters[which];
    float* const w = p.tensor->data<float>().data();
    const auto gradient = [&](int64_t i) { return rules::Adafactor::gradient(w[i], p.gradient[i], p.l1); };
    const double squares = sums_of_pieces(parameters, {&which, 1}, [&](size_t, int64_t first, int64_t last) {
      double sum = 0;
      for (int64_t i = first; i < last; ++i) {
        v[i] = rule_.mixed(v[i], rule_.square(gradient(i)));
        const auto u = static_cast<double>(rules::Adafactor::direction(gradient(i), v[i]));
        sum += u * u;
      }
      return sum;
    })[which];
    const float rate = rule_.rate(lr, squares, p.tensor->elements()), keep = 1 - lr * p.weight_decay;
    for (int64_t i = 0; i < p.tensor->elements(); ++i)
      w[i] = keep * w[i] - rate * rules::Adafactor::direction(gradient(i), v[i]);
  }

  rules::Adafactor rule_;
};

}  // namespace

OptimizerPtr rules::Adafactor::make(const Options& options) {
  return std::make_unique<graft::Adafactor>(rules::Adafactor(options));
}

}  // namespace graft
