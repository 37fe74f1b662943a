#include "finetune/features/pca.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/error.h"
#include "runtime/core/parallel.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Makes each vector of unit length and at right angles to those before it; what is left of nothing stays 0.
void make_orthonormal(std::vector<std::vector<double>>& vectors) {
  for (size_t k = 0; k < vectors.size(); ++k) {
    for (int twice = 0; twice < 2; ++twice)
      for (size_t j = 0; j < k; ++j) {
        const double along = dot(vectors[k], vectors[j]);
        for (size_t i = 0; i < vectors[k].size(); ++i) vectors[k][i] -= along * vectors[j][i];
      }
    const double length = std::sqrt(dot(vectors[k], vectors[k]));
    for (double& v : vectors[k]) v = length > 1e-30 ? v / length : 0;
  }
}

}  // namespace

PcaResult principal_components(std::span<const float> features, int64_t samples, int components) {
  if (samples < 2) throw Error("principal components need two samples or more");
  const auto n = static_cast<size_t>(samples), width = features.size() / n, count = static_cast<size_t>(components);
  std::vector<double> mean(width, 0);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < width; ++j) mean[j] += static_cast<double>(features[i * width + j]) / static_cast<double>(n);
  std::vector<std::vector<double>> axes(count, std::vector<double>(width));
  Random random(1);
  for (auto& axis : axes)
    for (double& v : axis) v = static_cast<double>(random.normal());
  make_orthonormal(axes);
  PcaResult result;
  result.places.assign(n * count, 0);
  const auto project = [&] {  // each sample on its own
    parallel_for(samples, 16, [&](int64_t first, int64_t last) {
      for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i)
        for (size_t k = 0; k < count; ++k) {
          double sum = 0;
          for (size_t j = 0; j < width; ++j)
            sum += (static_cast<double>(features[i * width + j]) - mean[j]) * axes[k][j];
          result.places[i * count + k] = sum;
        }
    });
  };
  constexpr int kIterations = 60;
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    project();
    parallel_for(static_cast<int64_t>(width), 64, [&](int64_t first, int64_t last) {  // each number on its own
      for (size_t k = 0; k < count; ++k) std::fill(axes[k].begin() + first, axes[k].begin() + last, 0.0);
      for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < count; ++k) {
          const double along = result.places[i * count + k];
          for (auto j = static_cast<size_t>(first); j < static_cast<size_t>(last); ++j)
            axes[k][j] += along * (static_cast<double>(features[i * width + j]) - mean[j]);
        }
    });
    make_orthonormal(axes);
  }
  project();
  for (size_t k = 0; k < count; ++k) {
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += result.places[i * count + k] * result.places[i * count + k];
    result.variances.push_back(sum / static_cast<double>(n - 1));
  }
  return result;
}

}  // namespace graft
