#pragma once

#include "finetune/losses/loss.h"

namespace graft {

/// A loss that is the mean over a row's outputs of a function of one score and its target, as PyTorch's losses of the same names
/// average over all elements. `Function` has double operator()(double f, double t, double& slope) const.
template <typename Function>
class ElementWise final : public Loss {
 public:
  explicit ElementWise(Function function) : function_(function) {}
  double row(std::span<const float> f, const Target& y, std::span<float> grad) const override {
    const auto n = static_cast<double>(f.size());
    double loss = 0;
    for (size_t k = 0; k < f.size(); ++k) {
      double slope = 0;
      loss += function_(static_cast<double>(f[k]), y.at(k), slope);
      grad[k] += static_cast<float>(slope / n);
    }
    return loss / n;
  }
  bool is_element_wise() const override { return true; }

 private:
  Function function_;
};

template <typename Function>
LossPtr make_element_wise(Function function) {
  return std::make_unique<ElementWise<Function>>(function);
}

}  // namespace graft
