#include "finetune/training/weight_copies.h"

#include <cstring>

#include "finetune/optimizers/parts.h"
#include "finetune/training/gradient_work.h"

namespace graft {
namespace {

GRAFT_VECTOR_CLONES void average(float* __restrict a, const float* __restrict w, int64_t n, float decay) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) a[i] += (1 - decay) * (w[i] - a[i]);
}

float* weights_of(const Parameter& p) { return p.tensor->data<float>().data(); }

}  // namespace

void WeightAverage::update(const std::vector<Parameter>& parameters) {
  if (values_.empty()) {
    for (const Parameter& p : parameters) values_.push_back(p.tensor->clone());
    return;
  }
  for_each_part(parameters, [&](size_t p, int64_t first, int64_t last) {
    average(values_[p].data<float>().data() + first, weights_of(parameters[p]) + first, last - first, decay_);
  });
}

void WeightAverage::swap(const std::vector<Parameter>& parameters) {
  if (values_.empty()) return;
  for_each_part(parameters, [&](size_t p, int64_t first, int64_t last) {
    std::swap_ranges(weights_of(parameters[p]) + first, weights_of(parameters[p]) + last,
                     values_[p].data<float>().data() + first);
  });
}

void SharpnessStep::perturb(const std::vector<Parameter>& parameters) {
  const bool first_time = before_.empty();
  for (size_t p = 0; p < parameters.size(); ++p) {
    if (first_time)
      before_.push_back(parameters[p].tensor->clone());
    else
      std::memcpy(before_[p].raw(), parameters[p].tensor->raw(), before_[p].bytes());
  }
  const auto factor = static_cast<float>(rho_ / (gradient_norm(parameters) + 1e-12));
  for_each_part(parameters, [&](size_t p, int64_t first, int64_t last) {
    float* w = weights_of(parameters[p]);
    for (int64_t i = first; i < last; ++i) w[i] += factor * parameters[p].gradient[i];
  });
}

void SharpnessStep::restore(const std::vector<Parameter>& parameters) {
  for (size_t p = 0; p < parameters.size(); ++p)
    std::memcpy(parameters[p].tensor->raw(), before_[p].raw(), before_[p].bytes());
}

}  // namespace graft
