#include "finetune/data/batch_mixing.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/random.h"

namespace graft {
namespace {

/// Gamma(shape, 1) [Marsaglia & Tsang 2000]; shapes below 1 by Gamma(shape + 1)·U^(1/shape).
double gamma_draw(double shape, Random& random) {
  const auto uniform = [&] { return std::max(1e-300, static_cast<double>(random.uniform())); };
  if (shape < 1) return gamma_draw(shape + 1, random) * std::pow(uniform(), 1 / shape);
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = static_cast<double>(random.normal()), v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace

double symmetric_beta(double alpha, uint64_t seed) {
  Random random(seed);
  const double a = gamma_draw(alpha, random), b = gamma_draw(alpha, random);
  return a + b > 0 ? a / (a + b) : 0.5;
}

BatchMixing::Plan BatchMixing::plan(std::span<const int> labels, uint64_t step) const {
  const uint64_t key = mix(mix(seed_, 0x6d6978), step);
  Random random(key);
  Plan plan;
  plan.cut = options_.cutmix > 0 && (options_.mixup <= 0 || random.below(2) == 1);
  plan.keep = symmetric_beta(static_cast<double>(plan.cut ? options_.cutmix : options_.mixup), mix(key, 1));
  plan.centre_x = static_cast<double>(random.uniform());
  plan.centre_y = static_cast<double>(random.uniform());
  std::vector<size_t> real;
  for (size_t i = 0; i < labels.size(); ++i) {
    plan.partner.push_back(i);
    if (labels[i] >= 0) real.push_back(i);
  }
  auto shuffled = real;
  for (size_t i = shuffled.size(); i > 1; --i) std::swap(shuffled[i - 1], shuffled[random.below(i)]);
  for (size_t i = 0; i < real.size(); ++i) plan.partner[real[i]] = shuffled[i];
  return plan;
}

void BatchMixing::mix_rows(const Plan& plan, std::span<const float> from, std::span<float> to, size_t width) const {
  const auto keep = static_cast<float>(plan.keep);
  for (size_t i = 0; i < plan.partner.size(); ++i) {
    const float *own = from.data() + i * width, *other = from.data() + plan.partner[i] * width;
    float* mixed = to.data() + i * width;
    if (plan.partner[i] == i)
      std::copy_n(own, width, mixed);
    else
      for (size_t k = 0; k < width; ++k) mixed[k] = keep * own[k] + (1 - keep) * other[k];
  }
}

void BatchMixing::mix_pictures(Plan& plan, std::span<const float> from, std::span<float> to, size_t height,
                               size_t width, size_t channels) const {
  if (!plan.cut) return mix_rows(plan, from, to, height * width * channels);
  const double side = std::sqrt(1 - plan.keep);
  const auto range = [&](double centre, size_t extent) {
    const double half = side * static_cast<double>(extent) / 2, middle = centre * static_cast<double>(extent);
    const auto clamp = [&](double v) {
      return static_cast<size_t>(std::clamp(std::round(v), 0.0, static_cast<double>(extent)));
    };
    return std::pair(clamp(middle - half), clamp(middle + half));
  };
  const auto [top, bottom] = range(plan.centre_y, height);
  const auto [left, right] = range(plan.centre_x, width);
  plan.keep = 1 - static_cast<double>((bottom - top) * (right - left)) / static_cast<double>(height * width);
  std::copy(from.begin(), from.end(), to.begin());
  const size_t picture = height * width * channels;
  for (size_t i = 0; i < plan.partner.size(); ++i) {
    for (size_t y = top; y < bottom; ++y) {
      const size_t row = (y * width + left) * channels;
      std::copy_n(from.data() + plan.partner[i] * picture + row, (right - left) * channels,
                  to.data() + i * picture + row);
    }
  }
}

void BatchMixing::mix_targets(const Plan& plan, std::span<const int> labels, std::vector<float>& rows) const {
  if (rows.empty()) {
    rows.assign(labels.size() * outputs_, 0);
    for (size_t i = 0; i < labels.size(); ++i)
      if (labels[i] >= 0) rows[i * outputs_ + static_cast<size_t>(labels[i])] = 1;
  }
  const std::vector<float> pure = rows;
  mix_rows(plan, pure, rows, outputs_);
}

void BatchMixing::mix_weights(const Plan& plan, std::vector<float>& weights) const {
  const std::vector<float> pure = weights;
  mix_rows(plan, pure, weights, 1);
}

}  // namespace graft
