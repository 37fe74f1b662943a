#include "finetune/metrics/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "finetune/losses/formulas/formula.h"
#include "runtime/core/row.h"

namespace graft {

void softmax_rows(std::span<float> scores, size_t classes) {
  for (size_t at = 0; at + classes <= scores.size(); at += classes) {
    const auto row = scores.subspan(at, classes);
    const float largest = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (float& v : row) {
      v = std::exp(v - largest);
      sum += static_cast<double>(v);
    }
    for (float& v : row) v = static_cast<float>(static_cast<double>(v) / sum);
  }
}

std::vector<int> top_indices(std::span<const float> scores, size_t k) {
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  k = std::min(k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<int64_t>(k), order.end(), [&](int a, int b) {
    const float x = scores[static_cast<size_t>(a)], y = scores[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  order.resize(k);
  return order;
}

void Metrics::add(std::span<const float> scores, std::span<const int> labels) {
  const auto classes = static_cast<size_t>(classes_);
  std::vector<float> row(classes);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) continue;
    std::copy_n(scores.begin() + static_cast<int64_t>(i * classes), classes, row.begin());
    softmax_rows(row, classes);
    if (std::isnan(
            row[0])) {  // one score that is not a number makes all of them so: the model is of no use, and says so
      ++count_;
      loss_ = std::numeric_limits<double>::quiet_NaN();
      ++confusion_[static_cast<size_t>(labels[i] * classes_)];
      continue;
    }
    const auto best = top_indices(row, 5);
    const bool hit = best[0] == labels[i];
    ++count_;
    top1_ += hit;
    top5_ += std::find(best.begin(), best.end(), labels[i]) != best.end();
    // Of the scores, since the probability of what is surely wrong is 0 in float32.
    const std::span<const float> own = scores.subspan(i * classes, classes);
    loss_ += formulas::log_sum_exp(own, Row{}) - static_cast<double>(own[static_cast<size_t>(labels[i])]);
    ++confusion_[static_cast<size_t>(labels[i] * classes_ + best[0])];
    const double confidence = static_cast<double>(row[static_cast<size_t>(best[0])]);
    Bin& bin = bins_[std::min(kBins - 1, static_cast<size_t>(confidence * kBins))];
    ++bin.count;
    bin.hits += hit;
    bin.confidence += confidence;
  }
}

double Metrics::precision(int c) const {
  int64_t predicted = 0;
  for (int t = 0; t < classes_; ++t) predicted += confusion(t, c);
  return predicted == 0 ? 0 : static_cast<double>(confusion(c, c)) / static_cast<double>(predicted);
}

double Metrics::recall(int c) const {
  int64_t actual = 0;
  for (int p = 0; p < classes_; ++p) actual += confusion(c, p);
  return actual == 0 ? 0 : static_cast<double>(confusion(c, c)) / static_cast<double>(actual);
}

double Metrics::f1(int c) const {
  const double p = precision(c), r = recall(c);
  return p + r == 0 ? 0 : 2 * p * r / (p + r);
}

double Metrics::calibration_error() const {
  double error = 0;
  for (const Bin& bin : bins_)
    if (bin.count > 0) error += std::fabs(static_cast<double>(bin.hits) - bin.confidence);
  return count_ == 0 ? 0 : error / static_cast<double>(count_);
}

}  // namespace graft
