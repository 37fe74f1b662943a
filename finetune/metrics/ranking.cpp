#include "finetune/metrics/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace graft {

Ranking::Ranking(std::vector<std::pair<double, bool>> scored) {
  for (auto& [score, yes] : scored)
    if (std::isnan(score)) score = -std::numeric_limits<double>::infinity();
  std::sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (size_t i = 0; i < scored.size(); ++i) {
    (scored[i].second ? positives_ : negatives_) += 1;
    const bool last_of_its_score = i + 1 == scored.size() || scored[i + 1].first != scored[i].first;
    if (last_of_its_score) points_.push_back({scored[i].first, positives_, negatives_});
  }
}

double Ranking::roc_auc() const {
  if (positives_ == 0 || negatives_ == 0) return 0.5;
  double area = 0;
  int64_t yes = 0, no = 0;
  for (const Point& p : points_) {
    area += static_cast<double>(p.false_positives - no) * static_cast<double>(p.true_positives + yes) / 2;
    yes = p.true_positives;
    no = p.false_positives;
  }
  return area / (static_cast<double>(positives_) * static_cast<double>(negatives_));
}

double Ranking::average_precision() const {
  if (positives_ == 0) return -1;
  double sum = 0;
  int64_t yes = 0;
  for (const Point& p : points_) {
    sum += static_cast<double>(p.true_positives - yes) * static_cast<double>(p.true_positives) /
           static_cast<double>(p.true_positives + p.false_positives);
    yes = p.true_positives;
  }
  return sum / static_cast<double>(positives_);
}

Ranking::BestThreshold Ranking::best_threshold() const {
  BestThreshold best;
  for (const Point& p : points_) {
    const double f1 = 2 * static_cast<double>(p.true_positives) /
                      static_cast<double>(p.true_positives + p.false_positives + positives_);
    if (f1 > best.f1) best = {p.threshold, f1};
  }
  return best;
}

}  // namespace graft
