#include "finetune/features/ood_detector.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "finetune/features/inner_products.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

constexpr size_t kComponents = 128;
constexpr double kWidth = 0.02;  // h, in cosine distance
constexpr size_t kFewest = 20;   // held-back pictures that their ranks can be told by
constexpr size_t kRanks = 101;   // distances that are kept: whole percents
constexpr size_t kNone = std::numeric_limits<size_t>::max();

/// sign(x)·|x|^1.5 of unit length, of each row; rows of zeros stay zeros.
std::vector<float> directions(std::span<const float> features, size_t width) {
  std::vector<float> result(features.size());
  for (size_t at = 0; at < features.size(); at += width) {
    float most = 0;  // powers of parts of it neither overflow nor vanish
    for (size_t j = at; j < at + width; ++j) most = std::max(most, std::fabs(features[j]));
    for (size_t j = at; j < at + width; ++j) {
      const float size = most > 0 ? std::fabs(features[j]) / most : 0;
      result[j] = std::copysign(size * std::sqrt(size), features[j]);
    }
  }
  make_unit(result, width);
  return result;
}

std::vector<float> transposed(std::span<const float> rows, size_t width) {
  const size_t count = rows.size() / width;
  std::vector<float> result(rows.size());
  for (size_t i = 0; i < count; ++i)
    for (size_t j = 0; j < width; ++j) result[j * count + i] = rows[i * width + j];
  return result;
}

/// The right singular vectors of `rows` that belong to its largest singular values, as rows, by orthogonal iteration on
/// the products of its rows [Golub & Van Loan 2013, §8.2.4].
std::vector<float> singular_vectors(std::span<const float> rows, size_t width, size_t count) {
  const size_t n = rows.size() / width;
  const std::vector<float> products = inner_products(rows, rows, width);
  std::vector<float> left(count * n);
  Random random(1);
  for (float& v : left) v = random.normal();
  make_orthonormal(left, n);
  constexpr int kIterations = 10;  // the last of 128 need not be exact: what matters is what they span
  for (int i = 0; i < kIterations; ++i) {
    left = inner_products(left, products, n);
    make_orthonormal(left, n);
  }
  std::vector<float> right = inner_products(left, transposed(rows, width), n);
  make_orthonormal(right, width);
  return right;
}

struct Quantised {
  std::vector<int8_t> values;
  std::vector<float> scales;  // one a row
};
Quantised quantised(std::span<const float> rows, size_t width) {
  Quantised result;
  for (size_t at = 0; at < rows.size(); at += width) {
    float most = 0;
    for (size_t j = at; j < at + width; ++j) most = std::max(most, std::fabs(rows[j]));
    result.scales.push_back(most / 127);
    for (size_t j = at; j < at + width; ++j)
      result.values.push_back(static_cast<int8_t>(most > 0 ? std::lround(rows[j] / most * 127) : 0));
  }
  return result;
}

std::vector<float> floats(const std::vector<int8_t>& values, const std::vector<float>& scales) {
  std::vector<float> result(values.size());
  const size_t width = scales.empty() ? 0 : values.size() / scales.size();
  for (size_t i = 0; i < values.size(); ++i) result[i] = static_cast<float>(values[i]) * scales[i / width];
  return result;
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

/// The rows whose numbers are all numbers.
std::vector<float> finite_rows(std::span<const float> rows, size_t width) {
  std::vector<float> result;
  for (size_t at = 0; at < rows.size(); at += width) {
    const auto row = rows.subspan(at, width);
    if (all_finite(row)) result.insert(result.end(), row.begin(), row.end());
  }
  return result;
}

}  // namespace

OodDetector::OodDetector(State state) : state_(std::move(state)) {
  const State& s = state_;
  const bool fits = s.width > 0 && s.components() > 0 && !s.picture_scales.empty() && s.distances.size() >= 2 &&
                    s.axes.size() / s.width == s.components() && s.axes.size() % s.width == 0 &&
                    s.references.size() / s.components() == s.picture_scales.size() &&
                    s.references.size() % s.components() == 0 && all_finite(s.axis_scales) &&
                    all_finite(s.picture_scales) && all_finite(s.distances) &&
                    std::is_sorted(s.distances.begin(), s.distances.end());
  if (!fits)
    throw Error("what the model keeps of its training pictures' features is not what graft writes", {},
                ErrorCode::corrupt_file);
  axes_ = floats(s.axes, s.axis_scales);
  references_ = floats(s.references, s.picture_scales);
}

OodDetector OodDetector::fit(std::span<const float> all_references, std::span<const float> all_held_back,
                             size_t width) {
  const std::vector<float> references = finite_rows(all_references, width),
                           held_back = finite_rows(all_held_back, width);
  const size_t count = references.size() / width;
  if (count < 2) throw Error("features of two pictures are needed to tell their kind by", {}, ErrorCode::bad_data);
  const std::vector<float> rows = directions(references, width);
  const std::vector<float> axes = singular_vectors(rows, width, std::min({kComponents, count, width}));
  State state{.width = width, .distances = {0, 0}};
  Quantised kept_axes = quantised(axes, width);
  state.axes = std::move(kept_axes.values);
  state.axis_scales = std::move(kept_axes.scales);
  Quantised pictures =
      quantised(inner_products(rows, floats(state.axes, state.axis_scales), width), state.components());
  state.references = std::move(pictures.values);
  state.picture_scales = std::move(pictures.scales);
  OodDetector detector(std::move(state));

  std::vector<double> distances;
  if (held_back.size() / width >= kFewest)
    for (size_t at = 0; at < held_back.size(); at += width)
      distances.push_back(detector.distance(std::span(held_back).subspan(at, width)));
  else
    for (size_t i = 0; i < count; ++i)
      distances.push_back(
          detector.distance_of(detector.coordinates(std::span(references).subspan(i * width, width)), i));
  std::sort(distances.begin(), distances.end());
  std::vector<float>& ranks = detector.state_.distances;
  ranks.resize(kRanks);
  for (size_t i = 0; i < kRanks; ++i) {
    const double at = static_cast<double>(i) / (kRanks - 1) * static_cast<double>(distances.size() - 1);
    const auto low = static_cast<size_t>(at), high = std::min(low + 1, distances.size() - 1);
    ranks[i] =
        static_cast<float>(distances[low] + (at - static_cast<double>(low)) * (distances[high] - distances[low]));
  }
  return detector;
}

std::vector<float> OodDetector::coordinates(std::span<const float> features) const {
  const std::vector<float> direction = directions(features, state_.width);
  std::vector<float> result(state_.components());
  for (size_t k = 0; k < result.size(); ++k) {
    const float* const axis = axes_.data() + k * state_.width;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < state_.width; ++j) sum += axis[j] * direction[j];
    result[k] = sum;
  }
  return result;
}

double OodDetector::distance_of(std::span<const float> coordinates, size_t left_out) const {
  const size_t components = state_.components(), count = references_.size() / components;
  std::vector<double> cosines;
  for (size_t i = 0; i < count; ++i) {
    if (i == left_out) continue;
    const float* const reference = references_.data() + i * components;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < components; ++k) sum += reference[k] * coordinates[k];
    cosines.push_back(static_cast<double>(sum));
  }
  const double nearest = *std::max_element(cosines.begin(), cosines.end());
  double sum = 0;
  for (const double cosine : cosines) sum += std::exp((cosine - nearest) / kWidth);
  return 1 - nearest - kWidth * std::log(sum / static_cast<double>(cosines.size()));
}

double OodDetector::distance(std::span<const float> features) const {
  return distance_of(coordinates(features), kNone);
}

double OodDetector::score(std::span<const float> features) const {
  const std::vector<float>& ranks = state_.distances;
  const auto rounded = static_cast<float>(distance(features));  // as the ranks are
  if (!(rounded < ranks.back())) return 1;                      // or no number
  const auto above = std::upper_bound(ranks.begin(), ranks.end(), rounded);
  if (above == ranks.begin()) return 0;
  const auto i = static_cast<double>(above - ranks.begin() - 1);
  const auto at = static_cast<double>(rounded), low = static_cast<double>(*(above - 1)),
             high = static_cast<double>(*above);
  return (i + (high > low ? std::clamp((at - low) / (high - low), 0.0, 1.0) : 0)) /
         static_cast<double>(ranks.size() - 1);
}

}  // namespace graft
