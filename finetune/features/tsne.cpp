#include "finetune/features/tsne.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/error.h"
#include "runtime/core/parallel.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

constexpr double kTiny = 1e-12;

/// Row i of P for a bandwidth: exp(-β·d²) normalised; returns its entropy in nats.
double fill_row(const double* distance, int64_t n, int64_t i, double beta, double* p) {
  double nearest = HUGE_VAL, sum = 0, weighted = 0;
  for (int64_t j = 0; j < n; ++j)
    if (j != i) nearest = std::min(nearest, distance[j]);
  for (int64_t j = 0; j < n; ++j) {
    p[j] = j == i ? 0 : std::exp(-beta * (distance[j] - nearest));
    sum += p[j];
    weighted += p[j] * (distance[j] - nearest);
  }
  for (int64_t j = 0; j < n; ++j) p[j] /= sum;
  return std::log(sum) + beta * weighted / sum;
}

/// Descends with momentum, each coordinate with a gain of its own.
class Descent {
 public:
  Descent(std::vector<double> p, int64_t n, uint64_t seed)
      : p_(std::move(p)),
        n_(n),
        y_(static_cast<size_t>(2 * n)),
        velocity_(y_.size(), 0.0),
        gain_(y_.size(), 1.0),
        gradient_(y_.size()),
        weights_(static_cast<size_t>(n)) {
    Random random(seed);
    for (double& v : y_) v = 1e-4 * static_cast<double>(random.normal());
    rate_ = std::max(static_cast<double>(n) / 12 / 4, 50.0);
  }

  void step(double exaggeration, double momentum) {
    compute_gradient(exaggeration);
    for (size_t k = 0; k < y_.size(); ++k) {
      gain_[k] = std::max(0.01, (gradient_[k] > 0) != (velocity_[k] > 0) ? gain_[k] + 0.2 : gain_[k] * 0.8);
      velocity_[k] = momentum * velocity_[k] - rate_ * gain_[k] * gradient_[k];
      y_[k] += velocity_[k];
    }
  }

  double divergence() {
    const double total = weigh();
    double sum = 0;
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t j = 0; j < n_; ++j) {
        const double p = p_[static_cast<size_t>(i * n_ + j)];
        if (i != j && p > 0) sum += p * std::log(p / std::max(closeness(i, j) / total, kTiny));
      }
    return sum;
  }
  std::vector<double> places() && { return std::move(y_); }

 private:
  double closeness(int64_t i, int64_t j) const {
    const double *a = y_.data() + 2 * i, *b = y_.data() + 2 * j;
    return 1 / (1 + (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]));
  }

  /// Σ of all closenesses: rows apart, then in order.
  double weigh() {
    parallel_for(n_, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < n_; ++j) sum += i == j ? 0 : closeness(i, j);
        weights_[static_cast<size_t>(i)] = sum;
      }
    });
    double total = 0;
    for (double w : weights_) total += w;
    return total;
  }

  void compute_gradient(double exaggeration) {
    const double total = weigh();
    parallel_for(n_, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        double x = 0, y = 0;
        for (int64_t j = 0; j < n_; ++j) {
          const double near = closeness(i, j),
                       pull = (exaggeration * p_[static_cast<size_t>(i * n_ + j)] - near / total) * near;
          x += pull * (y_[static_cast<size_t>(2 * i)] - y_[static_cast<size_t>(2 * j)]);
          y += pull * (y_[static_cast<size_t>(2 * i + 1)] - y_[static_cast<size_t>(2 * j + 1)]);
        }
        gradient_[static_cast<size_t>(2 * i)] = 4 * x;
        gradient_[static_cast<size_t>(2 * i + 1)] = 4 * y;
      }
    });
  }

  std::vector<double> p_;
  int64_t n_;
  std::vector<double> y_, velocity_, gain_, gradient_, weights_;
  double rate_ = 0;
};

}  // namespace

std::vector<double> neighbour_probabilities(std::span<const float> features, int64_t samples, double perplexity) {
  const auto width = static_cast<int64_t>(features.size()) / samples;
  std::vector<double> p(static_cast<size_t>(samples * samples));
  parallel_for(samples, 1, [&](int64_t first, int64_t last) {
    std::vector<double> distance(static_cast<size_t>(samples));
    for (int64_t i = first; i < last; ++i) {
      for (int64_t j = 0; j < samples; ++j) {
        double sum = 0;
        for (int64_t d = 0; d < width; ++d) {
          const double difference = static_cast<double>(features[static_cast<size_t>(i * width + d)]) -
                                    static_cast<double>(features[static_cast<size_t>(j * width + d)]);
          sum += difference * difference;
        }
        distance[static_cast<size_t>(j)] = sum;
      }
      double low = 0, high = HUGE_VAL, beta = 1;
      double* const row = p.data() + i * samples;
      for (int round = 0; round < 100; ++round) {
        const double excess = fill_row(distance.data(), samples, i, beta, row) - std::log(perplexity);
        if (std::fabs(excess) < 1e-7) break;
        (excess > 0 ? low : high) = beta;
        beta = std::isinf(high) ? beta * 2 : (low + high) / 2;
      }
    }
  });
  return p;
}

TsneResult tsne(std::span<const float> features, int64_t samples, const TsneOptions& options) {
  if (samples < 4)
    throw Error("t-SNE needs at least 4 pictures, there are " + std::to_string(samples), {}, ErrorCode::bad_data);
  if (options.perplexity < 1 || 3 * options.perplexity > static_cast<double>(samples - 1))
    throw Error("a perplexity of " + std::to_string(options.perplexity) + " does not suit " + std::to_string(samples) +
                    " pictures",
                "use at most a third of them");
  auto p = neighbour_probabilities(features, samples, options.perplexity);
  for (int64_t i = 0; i < samples; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      double &a = p[static_cast<size_t>(i * samples + j)], &b = p[static_cast<size_t>(j * samples + i)];
      a = b = std::max((a + b) / (2 * static_cast<double>(samples)), i == j ? 0 : kTiny);
    }
  Descent descent(std::move(p), samples, mix(options.seed, 0x74736e65));
  const int early = options.iterations / 4;
  for (int i = 0; i < options.iterations; ++i) descent.step(i < early ? 12 : 1, i < early ? 0.5 : 0.8);
  TsneResult result;
  result.divergence = descent.divergence();
  result.places = std::move(descent).places();
  return result;
}

}  // namespace graft
