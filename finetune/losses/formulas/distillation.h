#pragma once

#include "finetune/losses/formulas/cross_entropy.h"

namespace graft::formulas {

/// L = (1-α)·cross-entropy(f, t) + α·T²·Σ_k q_k log(q_k / softmax(f/T)_k) with q = softmax(teacher/T). T² keeps the
/// slopes of both parts comparable.  [Hinton, Vinyals & Dean 2015, §2]
struct Distillation : FormulaDefaults {
  static constexpr bool kNeedsTeacher = true;
  CrossEntropy cross_entropy;
  double temperature = 4, part = 0.9;
  GRAFT_DEVICE double operator()(std::span<const float> f, const Target& y, std::span<float> grad, Row row) const {
    const double hard = (1 - part) * cross_entropy(f, y, grad, row);
    const double own = log_sum_exp(f, row, temperature), teachers = log_sum_exp(y.teacher, row, temperature);
    double soft = 0;
    GRAFT_FOR_COLUMNS(k, f, row) {
      const double log_q = static_cast<double>(y.teacher[k]) / temperature - teachers,
                   log_p = static_cast<double>(f[k]) / temperature - own, q = std::exp(log_q);
      soft += part * temperature * temperature * q * (log_q - log_p);
      grad[k] = static_cast<float>((1 - part) * static_cast<double>(grad[k])) +
                static_cast<float>(part * temperature * (std::exp(log_p) - q));
    }
    return hard + row.sum(soft);
  }
};

template <typename Use>
auto distillation(const LossOptions& o, const Use& use) {
  return use(Distillation{{},
                          {{}, static_cast<double>(o.label_smoothing)},
                          static_cast<double>(o.temperature),
                          static_cast<double>(o.teacher_weight)});
}

}  // namespace graft::formulas
