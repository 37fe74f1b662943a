#include "finetune/features/neighbours.h"

#include <algorithm>
#include <numeric>

#include "finetune/features/inner_products.h"
#include "runtime/core/parallel.h"

namespace graft {

Neighbours nearest_neighbours(std::span<const float> features, int64_t samples, int64_t each) {
  const auto n = static_cast<size_t>(samples), width = features.size() / n, k = static_cast<size_t>(each);
  // Distances stay when the mean is taken off; what is lost by the difference of squares is least then.
  std::vector<double> mean(width, 0);
  for (size_t i = 0; i < features.size(); ++i)
    mean[i % width] += static_cast<double>(features[i]) / static_cast<double>(n);
  std::vector<float> centred(features.size());
  for (size_t i = 0; i < features.size(); ++i)
    centred[i] = static_cast<float>(static_cast<double>(features[i]) - mean[i % width]);
  features = centred;
  const auto row = [&](size_t i) { return features.subspan(i * width, width); };
  std::vector<float> squares(n);
  for (size_t i = 0; i < n; ++i)
    squares[i] =
        static_cast<float>(std::transform_reduce(row(i).begin(), row(i).end(), 0.0, std::plus<>(), [](float v) {
          return static_cast<double>(v) * static_cast<double>(v);
        }));
  Neighbours result{each, std::vector<int32_t>(n * k), std::vector<double>(n * k)};
  constexpr size_t kBlock = 512;
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t rows = std::min(kBlock, n - begin);
    const std::vector<float> products = inner_products(features.subspan(begin * width, rows * width), features, width);
    parallel_for(static_cast<int64_t>(rows), 1, [&](int64_t first, int64_t last) {
      std::vector<std::pair<float, int32_t>> order(n - 1);
      std::vector<std::pair<double, int32_t>> nearest(k);
      for (auto r = static_cast<size_t>(first); r < static_cast<size_t>(last); ++r) {
        const size_t i = begin + r;
        // |a - b|² = |a|² + |b|² - 2ab: |a|² is the same for all.
        for (size_t j = 0, at = 0; j < n; ++j)
          if (j != i) order[at++] = {squares[j] - 2 * products[r * n + j], static_cast<int32_t>(j)};
        std::nth_element(order.begin(), order.begin() + static_cast<int64_t>(k) - 1, order.end());
        for (size_t at = 0; at < k; ++at) {
          const auto j = static_cast<size_t>(order[at].second);
          double distance = 0;  // once more, without what the difference of large squares lost
          for (size_t d = 0; d < width; ++d) {
            const double difference = static_cast<double>(row(i)[d]) - static_cast<double>(row(j)[d]);
            distance += difference * difference;
          }
          nearest[at] = {distance, order[at].second};
        }
        std::sort(nearest.begin(), nearest.end());
        for (size_t at = 0; at < k; ++at) {
          result.distance[i * k + at] = nearest[at].first;
          result.index[i * k + at] = nearest[at].second;
        }
      }
    });
  }
  return result;
}

}  // namespace graft
