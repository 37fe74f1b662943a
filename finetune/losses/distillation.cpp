#include <cmath>

#include "finetune/losses/loss.h"
#include "runtime/base/error.h"

namespace graft {
namespace {

/// L = (1-α)·cross-entropy(f, t) + α·T²·Σ_k q_k log(q_k / softmax(f/T)_k) with q = softmax(teacher/T). T² keeps the slopes of both
/// parts comparable.  [Hinton, Vinyals & Dean 2015, §2]
class Distillation final : public Loss {
 public:
  explicit Distillation(const LossOptions& o) : cross_entropy_(make_cross_entropy(o)), temperature_(static_cast<double>(o.temperature)), part_(static_cast<double>(o.teacher_weight)) {}
  double row(std::span<const float> f, const Target& y, std::span<float> grad) const override {
    if (y.teacher.size() != f.size()) throw Error("distillation needs a teacher with as many scores as there are classes", "give --teacher");
    double loss = (1 - part_) * cross_entropy_->row(f, y, grad);
    for (float& g : grad) g = static_cast<float>((1 - part_) * static_cast<double>(g));
    const double own = log_sum_exp(f, temperature_), teachers = log_sum_exp(y.teacher, temperature_);
    for (size_t k = 0; k < f.size(); ++k) {
      const double log_q = static_cast<double>(y.teacher[k]) / temperature_ - teachers, log_p = static_cast<double>(f[k]) / temperature_ - own, q = std::exp(log_q);
      loss += part_ * temperature_ * temperature_ * q * (log_q - log_p);
      grad[k] += static_cast<float>(part_ * temperature_ * (std::exp(log_p) - q));
    }
    return loss;
  }
  bool needs_teacher() const override { return true; }

 private:
  LossPtr cross_entropy_;
  double temperature_, part_;
};

}  // namespace

LossPtr make_distillation(const LossOptions& o) { return std::make_unique<Distillation>(o); }

}  // namespace graft
