#include "finetune/features/tsne.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "finetune/features/neighbours.h"
#include "finetune/features/quad_tree.h"
#include "runtime/core/error.h"
#include "runtime/core/parallel.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

constexpr double kTiny = 1e-12;
constexpr double kAngle = 0.5;

/// exp(-β·d²) of squared distances, normalised, of all but number `left_out`; returns its entropy in nats.
double fill_row(std::span<const double> distance, size_t left_out, double beta, double* p) {
  double nearest = HUGE_VAL, sum = 0, weighted = 0;
  for (size_t j = 0; j < distance.size(); ++j)
    if (j != left_out) nearest = std::min(nearest, distance[j]);
  for (size_t j = 0; j < distance.size(); ++j) {
    p[j] = j == left_out ? 0 : std::exp(-beta * (distance[j] - nearest));
    sum += p[j];
    weighted += p[j] * (distance[j] - nearest);
  }
  for (size_t j = 0; j < distance.size(); ++j) p[j] /= sum;
  return std::log(sum) + beta * weighted / sum;
}

/// The same with the β that gives it the perplexity.
void fill_row_for(std::span<const double> distance, size_t left_out, double perplexity, double* p) {
  double low = 0, high = HUGE_VAL, beta = 1;
  for (int round = 0; round < 100; ++round) {
    const double excess = fill_row(distance, left_out, beta, p) - std::log(perplexity);
    if (std::fabs(excess) < 1e-7) break;
    (excess > 0 ? low : high) = beta;
    beta = std::isinf(high) ? beta * 2 : (low + high) / 2;
  }
}

double closeness(const double* a, const double* b) {
  return 1 / (1 + (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]));
}

/// KL(P‖Q) as a function of places.
class Objective {
 public:
  virtual ~Objective() = default;
  /// `gradient`: samples × 2; what attracts is multiplied by `exaggeration`.
  virtual void compute_gradient(const std::vector<double>& y, double exaggeration, std::vector<double>& gradient) = 0;
  virtual double divergence(const std::vector<double>& y) = 0;
};

/// Rows of all pairs that are worth a thread: to wake one takes as long as some ten thousand pairs.
int64_t rows_worth_a_thread(int64_t samples) { return std::max<int64_t>(1, 20000 / samples); }

/// Over all pairs.
class AllPairs final : public Objective {
 public:
  AllPairs(std::span<const float> features, int64_t samples, double perplexity)
      : p_(neighbour_probabilities(features, samples, perplexity)), n_(samples), weights_(static_cast<size_t>(n_)) {
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t j = 0; j <= i; ++j) {
        double &a = p_[static_cast<size_t>(i * n_ + j)], &b = p_[static_cast<size_t>(j * n_ + i)];
        a = b = std::max((a + b) / (2 * static_cast<double>(n_)), i == j ? 0 : kTiny);
      }
  }

  void compute_gradient(const std::vector<double>& y, double exaggeration, std::vector<double>& gradient) override {
    const double total = weigh(y);
    parallel_for(n_, rows_worth_a_thread(n_), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        double x = 0, z = 0;
        for (int64_t j = 0; j < n_; ++j) {
          const double near = closeness(y.data() + 2 * i, y.data() + 2 * j),
                       pull = (exaggeration * p_[static_cast<size_t>(i * n_ + j)] - near / total) * near;
          x += pull * (y[static_cast<size_t>(2 * i)] - y[static_cast<size_t>(2 * j)]);
          z += pull * (y[static_cast<size_t>(2 * i + 1)] - y[static_cast<size_t>(2 * j + 1)]);
        }
        gradient[static_cast<size_t>(2 * i)] = 4 * x;
        gradient[static_cast<size_t>(2 * i + 1)] = 4 * z;
      }
    });
  }

  double divergence(const std::vector<double>& y) override {
    const double total = weigh(y);
    double sum = 0;
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t j = 0; j < n_; ++j) {
        const double p = p_[static_cast<size_t>(i * n_ + j)];
        if (i != j && p > 0)
          sum += p * std::log(p / std::max(closeness(y.data() + 2 * i, y.data() + 2 * j) / total, kTiny));
      }
    return sum;
  }

 private:
  /// Σ of all closenesses: rows apart, then in order.
  double weigh(const std::vector<double>& y) {
    parallel_for(n_, rows_worth_a_thread(n_), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < n_; ++j) sum += i == j ? 0 : closeness(y.data() + 2 * i, y.data() + 2 * j);
        weights_[static_cast<size_t>(i)] = sum;
      }
    });
    double total = 0;
    for (const double w : weights_) total += w;
    return total;
  }

  std::vector<double> p_;
  int64_t n_;
  std::vector<double> weights_;
};

/// Over neighbours and a tree.
class BarnesHut final : public Objective {
 public:
  BarnesHut(std::span<const float> features, int64_t samples, double perplexity)
      : n_(samples), sums_(static_cast<size_t>(samples)) {
    const auto each = static_cast<int64_t>(std::min(3 * perplexity, static_cast<double>(samples - 1)));
    const Neighbours near = nearest_neighbours(features, samples, each);
    std::vector<double> p(near.distance.size());
    const auto k = static_cast<size_t>(each);
    parallel_for(samples, 1, [&](int64_t first, int64_t last) {
      for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i)
        fill_row_for(std::span(near.distance).subspan(i * k, k), k, perplexity, p.data() + i * k);
    });
    // (p_ij + p_ji) / 2n: each entry goes to both rows, then equal columns are added.
    std::vector<std::vector<std::pair<int32_t, double>>> rows(static_cast<size_t>(samples));
    for (size_t at = 0; at < p.size(); ++at) {
      const auto i = static_cast<int32_t>(at / k), j = near.index[at];
      const double half = p[at] / (2 * static_cast<double>(samples));
      rows[static_cast<size_t>(i)].emplace_back(j, half);
      rows[static_cast<size_t>(j)].emplace_back(i, half);
    }
    row_begin_.push_back(0);
    for (auto& row : rows) {
      std::sort(row.begin(), row.end());
      for (const auto& [j, value] : row) {
        if (column_.size() > row_begin_.back() && column_.back() == j)
          p_.back() += value;
        else {
          column_.push_back(j);
          p_.push_back(value);
        }
      }
      row_begin_.push_back(column_.size());
    }
  }

  void compute_gradient(const std::vector<double>& y, double exaggeration, std::vector<double>& gradient) override {
    const double total = repel(y);
    parallel_for(n_, 64, [&](int64_t first, int64_t last) {
      for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
        double x = 0, z = 0;
        for (size_t at = row_begin_[i]; at < row_begin_[i + 1]; ++at) {
          const auto j = static_cast<size_t>(column_[at]);
          const double pull = p_[at] * closeness(y.data() + 2 * i, y.data() + 2 * j);
          x += pull * (y[2 * i] - y[2 * j]);
          z += pull * (y[2 * i + 1] - y[2 * j + 1]);
        }
        gradient[2 * i] = 4 * (exaggeration * x - sums_[i].x / total);
        gradient[2 * i + 1] = 4 * (exaggeration * z - sums_[i].y / total);
      }
    });
  }

  double divergence(const std::vector<double>& y) override {
    const double total = repel(y);
    double sum = 0;
    for (size_t i = 0; i < static_cast<size_t>(n_); ++i)
      for (size_t at = row_begin_[i]; at < row_begin_[i + 1]; ++at) {
        const double q = closeness(y.data() + 2 * i, y.data() + 2 * static_cast<size_t>(column_[at])) / total;
        if (p_[at] > 0) sum += p_[at] * std::log(p_[at] / std::max(q, kTiny));
      }
    return sum;
  }

 private:
  /// Fills sums_; returns Σ of all closenesses, in order.
  double repel(const std::vector<double>& y) {
    const QuadTree tree(y);
    parallel_for(n_, 64, [&](int64_t first, int64_t last) {
      for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) sums_[i] = tree.sums(i, kAngle);
    });
    double total = 0;
    for (const QuadTree::Sums& s : sums_) total += s.weights;
    return total;
  }

  int64_t n_;
  std::vector<size_t> row_begin_;  // of P's rows
  std::vector<int32_t> column_;
  std::vector<double> p_;
  std::vector<QuadTree::Sums> sums_;
};

/// Descends with momentum, each coordinate with a gain of its own.
class Descent {
 public:
  Descent(Objective& objective, int64_t n, uint64_t seed)
      : objective_(objective),
        y_(static_cast<size_t>(2 * n)),
        velocity_(y_.size(), 0.0),
        gain_(y_.size(), 1.0),
        gradient_(y_.size()),
        rate_(std::max(static_cast<double>(n) / 12 / 4, 50.0)) {
    Random random(seed);
    for (double& v : y_) v = 1e-4 * static_cast<double>(random.normal());
  }

  void step(double exaggeration, double momentum) {
    objective_.compute_gradient(y_, exaggeration, gradient_);
    for (size_t k = 0; k < y_.size(); ++k) {
      gain_[k] = std::max(0.01, (gradient_[k] > 0) != (velocity_[k] > 0) ? gain_[k] + 0.2 : gain_[k] * 0.8);
      velocity_[k] = momentum * velocity_[k] - rate_ * gain_[k] * gradient_[k];
      y_[k] += velocity_[k];
    }
  }

  const std::vector<double>& places() const { return y_; }

 private:
  Objective& objective_;
  std::vector<double> y_, velocity_, gain_, gradient_;
  double rate_;
};

}  // namespace

std::vector<double> neighbour_probabilities(std::span<const float> features, int64_t samples, double perplexity) {
  const auto n = static_cast<size_t>(samples), width = features.size() / n;
  std::vector<double> p(n * n);
  parallel_for(samples, 1, [&](int64_t first, int64_t last) {
    std::vector<double> distance(n);
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
      for (size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (size_t d = 0; d < width; ++d) {
          const double difference =
              static_cast<double>(features[i * width + d]) - static_cast<double>(features[j * width + d]);
          sum += difference * difference;
        }
        distance[j] = sum;
      }
      fill_row_for(distance, i, perplexity, p.data() + i * n);
    }
  });
  return p;
}

TsneResult tsne(std::span<const float> features, int64_t samples, const TsneOptions& options) {
  if (samples < 4)
    throw Error("t-SNE needs at least 4 pictures, there are " + std::to_string(samples), {}, ErrorCode::bad_data);
  if (!std::all_of(features.begin(), features.end(), [](float v) { return std::isfinite(v); }))
    throw Error("t-SNE needs finite features", "leave out the pictures whose features are not", ErrorCode::bad_data);
  if (!(options.perplexity >= 1) || 3 * options.perplexity > static_cast<double>(samples - 1))
    throw Error("a perplexity of " + std::to_string(options.perplexity) + " does not suit " + std::to_string(samples) +
                    " pictures",
                "use at most a third of them");
  std::unique_ptr<Objective> objective;
  if (samples <= options.exact_up_to)
    objective = std::make_unique<AllPairs>(features, samples, options.perplexity);
  else
    objective = std::make_unique<BarnesHut>(features, samples, options.perplexity);
  Descent descent(*objective, samples, mix(options.seed, 0x74736e65));
  const int early = options.iterations / 4;
  for (int i = 0; i < options.iterations; ++i) descent.step(i < early ? 12 : 1, i < early ? 0.5 : 0.8);
  return {descent.places(), objective->divergence(descent.places())};
}

}  // namespace graft
