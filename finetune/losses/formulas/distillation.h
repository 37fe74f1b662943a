#pragma once

#include "finetune/losses/formulas/cross_entropy.h"

namespace graft::formulas {

/// L = (1-α)·cross-entropy(f, t) + α·T²·Σ_k q_k log(q_k / softmax(f/T)_k) with q = softmax(teacher/T). T² keeps the
/// slopes of both parts comparable.  [Hinton, Vinyals & Dean 2015, §2]
struct Distillation : FormulaDefaults {
  static constexpr ComponentText kText{
      "distillation", "imitates the scores of a teacher",
      "L = (1-α)·cross-entropy + α·T²·KL(softmax(teacher/T) ‖ softmax(f/T))  [Hinton, Vinyals & Dean 2015, §2]"};
  struct Options {
    double temperature = 4, teacher_weight = 0.9, label_smoothing = 0;
    void describe(SettingVisitor& visit) {
      visit("temperature", temperature,
            {.low = 0.1, .high = 100, .help = "T, by which both networks' scores are divided"});
      visit("teacher-weight", teacher_weight, {.low = 0, .high = 1, .help = "α, the teacher's part of the loss"});
      visit("label-smoothing", label_smoothing, kLabelSmoothing);
    }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(Distillation{{}, {{}, o.label_smoothing}, o.temperature, o.teacher_weight});
  }
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

}  // namespace graft::formulas
