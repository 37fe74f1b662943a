#include "finetune/selection/next_labels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "finetune/features/inner_products.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

constexpr int kRounds = 20;
constexpr float kLeastWeight = 1e-4f;  // who is quite sure counts a little, or clusters of such have no mean

/// Weighted k-means of rows.
class Clusters {
 public:
  Clusters(std::span<const float> rows, size_t width, std::span<const float> weights, size_t count, uint64_t seed)
      : rows_(rows), width_(width), weights_(weights), n_(weights.size()), count_(count), squares_(n_) {
    for (size_t i = 0; i < n_; ++i) squares_[i] = square(rows_.data() + i * width_);
    begin(seed);
    for (int round = 0; round < kRounds && assign(); ++round) move();
    measure();
  }

  /// Of each cluster the row nearest to its mean, no row twice, clusters by their weight.
  std::vector<size_t> nearest() const {
    std::vector<double> weight(count_, 0);
    for (size_t i = 0; i < n_; ++i) weight[cluster_[i]] += static_cast<double>(weights_[i]);
    std::vector<size_t> order(count_), chosen;
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return weight[a] > weight[b]; });
    std::vector<bool> taken(n_, false);
    for (const size_t c : order) {
      size_t best = n_;
      for (size_t i = 0; i < n_; ++i)
        if (!taken[i] && (best == n_ || distance(i, c) < distance(best, c))) best = i;
      taken[best] = true;
      chosen.push_back(best);
    }
    return chosen;
  }

 private:
  float square(const float* row) const {
    double sum = 0;
    for (size_t j = 0; j < width_; ++j) sum += static_cast<double>(row[j]) * static_cast<double>(row[j]);
    return static_cast<float>(sum);
  }
  float distance(size_t i, size_t c) const {
    return std::max(0.0f, squares_[i] + mean_squares_[c] - 2 * products_[i * count_ + c]);
  }

  /// k-means++ [Arthur & Vassilvitskii 2007]: each further mean is a row, drawn by weight × squared distance from those
  /// there are.
  void begin(uint64_t seed) {
    Random random(mix(seed, 0x6c61626c));
    std::vector<double> far(weights_.begin(), weights_.end());
    for (size_t c = 0; c < count_; ++c) {
      const double total = std::accumulate(far.begin(), far.end(), 0.0);
      double at = static_cast<double>(random.uniform()) * total;
      size_t i = 0;
      while (i + 1 < n_ && (at -= far[i]) >= 0) ++i;
      const auto row = rows_.subspan(i * width_, width_);
      means_.insert(means_.end(), row.begin(), row.end());
      const std::vector<float> products = inner_products(rows_, row, width_);
      for (size_t k = 0; k < n_; ++k) {
        const double d = std::max(0.0f, squares_[k] + squares_[i] - 2 * products[k]) * weights_[k];
        far[k] = c == 0 ? d : std::min(far[k], d);
      }
      far[i] = 0;
    }
    cluster_.assign(n_, std::numeric_limits<size_t>::max());
  }

  void measure() {
    products_ = inner_products(rows_, means_, width_);
    mean_squares_.resize(count_);
    for (size_t c = 0; c < count_; ++c) mean_squares_[c] = square(means_.data() + c * width_);
  }

  /// Whether any row has changed its cluster.
  bool assign() {
    measure();
    bool changed = false;
    for (size_t i = 0; i < n_; ++i) {
      size_t best = 0;
      for (size_t c = 1; c < count_; ++c)
        if (distance(i, c) < distance(i, best)) best = c;
      changed = changed || cluster_[i] != best;
      cluster_[i] = best;
    }
    return changed;
  }

  void move() {
    std::vector<double> sums(means_.size(), 0), weight(count_, 0);
    for (size_t i = 0; i < n_; ++i) {
      weight[cluster_[i]] += static_cast<double>(weights_[i]);
      for (size_t j = 0; j < width_; ++j)
        sums[cluster_[i] * width_ + j] += static_cast<double>(weights_[i]) * static_cast<double>(rows_[i * width_ + j]);
    }
    for (size_t c = 0; c < count_; ++c)  // a cluster without rows stays where it is
      for (size_t j = 0; weight[c] > 0 && j < width_; ++j)
        means_[c * width_ + j] = static_cast<float>(sums[c * width_ + j] / weight[c]);
  }

  std::span<const float> rows_;
  size_t width_;
  std::span<const float> weights_;
  size_t n_, count_;
  std::vector<float> squares_, means_, products_, mean_squares_;
  std::vector<size_t> cluster_;  // of each row
};

}  // namespace

std::vector<size_t> next_to_label(std::span<const float> features, size_t width, std::span<const float> uncertainty,
                                  size_t count, uint64_t seed) {
  if (count >= uncertainty.size()) {
    std::vector<size_t> all(uncertainty.size());
    std::iota(all.begin(), all.end(), size_t{0});
    std::stable_sort(all.begin(), all.end(), [&](size_t a, size_t b) { return uncertainty[a] > uncertainty[b]; });
    return all;
  }
  if (count == 0) return {};
  std::vector<float> weights(uncertainty.begin(), uncertainty.end());
  for (float& w : weights) w = std::max(w, kLeastWeight);
  std::vector<float> rows(features.begin(), features.end());
  make_unit(rows, width);
  return Clusters(rows, width, weights, count, seed).nearest();
}

}  // namespace graft
