#include "finetune/training/gradient_work.h"

#include <cmath>

#include "finetune/optimizers/norms.h"

namespace graft {
namespace {

GRAFT_VECTOR_CLONES void scale(float* g, int64_t n, float factor) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) g[i] *= factor;
}

GRAFT_VECTOR_CLONES void cut(float* g, int64_t n, float limit) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) g[i] = g[i] > limit ? limit : g[i] < -limit ? -limit : g[i];
}

GRAFT_VECTOR_CLONES void add_scaled(float* __restrict sum, const float* __restrict g, int64_t n, float factor,
                                    bool first) {
  const float keep = first ? 0.0f : 1.0f;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) sum[i] = keep * sum[i] + factor * g[i];
}

}  // namespace

void scale_gradients(const std::vector<Parameter>& parameters, float factor) {
  for_each_part(parameters, [&](size_t p, int64_t first, int64_t last) {
    scale(parameters[p].gradient + first, last - first, factor);
  });
}

double gradient_norm(const std::vector<Parameter>& parameters) {
  double total = 0;
  for (double s : sums_of_pieces(parameters, every(parameters), [&](size_t p, int64_t first, int64_t last) {
         return sum_of_squares(parameters[p].gradient + first, last - first);
       }))
    total += s;
  return std::sqrt(total);
}

double clip_gradient_norm(std::vector<Parameter>& parameters, double limit) {
  const double norm = gradient_norm(parameters), factor = limit / (norm + 1e-6);  // PyTorch's guard
  if (factor < 1) scale_gradients(parameters, static_cast<float>(factor));
  return norm;
}

void clip_gradient_values(std::vector<Parameter>& parameters, float limit) {
  for_each_part(parameters, [&](size_t p, int64_t first, int64_t last) {
    cut(parameters[p].gradient + first, last - first, limit);
  });
}

GradientAccumulator::GradientAccumulator(std::vector<Parameter>& parameters) : parameters_(parameters) {
  size_t total = 0;
  for (const Parameter& p : parameters) total += static_cast<size_t>(p.tensor->elements());
  sums_.assign(total, 0);
  float* at = sums_.data();
  for (Parameter& p : parameters) {
    sources_.push_back(p.gradient);
    p.gradient = at;
    at += p.tensor->elements();
  }
}

void GradientAccumulator::add(double weight) {
  for_each_part(parameters_, [&](size_t p, int64_t first, int64_t last) {
    add_scaled(parameters_[p].gradient + first, sources_[p] + first, last - first, static_cast<float>(weight), !begun_);
  });
  begun_ = true;
  weight_ += weight;
}

bool GradientAccumulator::finish() {
  const bool any = begun_ && weight_ > 0;
  scale_gradients(parameters_, any ? static_cast<float>(1 / weight_) : 0.0f);
  begun_ = false;
  weight_ = 0;
  return any;
}

}  // namespace graft
