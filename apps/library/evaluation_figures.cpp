#include "apps/library/evaluation_figures.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "finetune/metrics/bootstrap.h"

namespace graft {
namespace {

Interval interval(const std::pair<double, double>& ends) { return {ends.first, ends.second}; }

double ratio(int64_t part, int64_t of) { return of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of); }

/// 2pr/(p + r), in counts.
double f1_of(int64_t hits, int64_t predicted, int64_t true_ones) { return ratio(2 * hits, predicted + true_ones); }

/// `probability`: of a threshold on the ranking's scores.
template <typename Probability>
std::vector<CurvePoint> curve_of(const Ranking& ranking, const Probability& probability) {
  constexpr size_t kMost = 500;
  const std::vector<Ranking::Point>& points = ranking.points();
  const size_t count = std::min(points.size(), kMost);
  std::vector<CurvePoint> curve;
  for (size_t i = 0; i < count; ++i) {
    const Ranking::Point& p = points[count == 1 ? 0 : i * (points.size() - 1) / (count - 1)];
    curve.push_back({probability(p.threshold), ratio(p.true_positives, ranking.positives()),
                     ratio(p.false_positives, ranking.negatives()),
                     ratio(p.true_positives, p.true_positives + p.false_positives)});
  }
  return curve;
}

/// Both are told only of what has a yes and a no.
template <typename Of>
void tell_ranking(const Ranking& ranking, Of& of) {
  if (ranking.positives() == 0 || ranking.negatives() == 0) return;
  of.roc_auc = ranking.roc_auc();
  of.average_precision = ranking.average_precision();
}

double sigmoid(double score) { return 1 / (1 + std::exp(-score)); }

/// Accuracy, loss and macro F1 of sets that were drawn anew.
void tell_intervals(ClassFigures& f, const std::vector<Prediction>& predictions) {
  const size_t classes = f.per_class.size();
  std::vector<int64_t> hits(classes), predicted(classes), true_ones(classes);
  const auto intervals = bootstrap_intervals(
      predictions.size(), 3,
      [&](std::span<const uint32_t> drawn, std::span<double> figures) {
        for (auto* counts : {&hits, &predicted, &true_ones}) std::fill(counts->begin(), counts->end(), 0);
        double right = 0, loss = 0, f1 = 0, occurring = 0;
        for (size_t i = 0; i < drawn.size(); ++i) {
          const Prediction& p = predictions[i];
          const auto truth = static_cast<size_t>(p.truth), answer = static_cast<size_t>(p.answer);
          true_ones[truth] += drawn[i];
          predicted[answer] += drawn[i];
          if (truth == answer) hits[truth] += drawn[i];
          right += truth == answer ? drawn[i] : 0;
          loss += drawn[i] * p.loss;
        }
        for (size_t c = 0; c < classes; ++c) {
          if (true_ones[c] == 0) continue;
          f1 += f1_of(hits[c], predicted[c], true_ones[c]);
          ++occurring;
        }
        const auto pictures = static_cast<double>(predictions.size());
        figures[0] = right / pictures;
        figures[1] = loss / pictures;
        figures[2] = f1 / occurring;
      },
      resamples_for(predictions.size() + classes));
  f.top1_interval = interval(intervals[0]);
  f.loss_interval = interval(intervals[1]);
  f.macro_f1_interval = interval(intervals[2]);
}

}  // namespace

ClassFigures class_figures(const Metrics& metrics, const ScoreTable& table,
                           const std::vector<Prediction>& predictions) {
  ClassFigures f;
  f.top1 = metrics.top1();
  f.top5 = metrics.top5();
  f.loss = metrics.loss();
  f.calibration_error = metrics.calibration_error();
  f.temperature = table.best_temperature();
  f.loss_at_temperature = table.loss(f.temperature);
  f.calibration_error_at_temperature = table.calibration_error(f.temperature);
  double occurring = 0;
  for (int t = 0; t < metrics.classes(); ++t) {
    ClassFigures::OfClass of;
    for (int p = 0; p < metrics.classes(); ++p) {
      f.confusion.push_back(metrics.confusion(t, p));
      of.pictures += metrics.confusion(t, p);
      of.predicted += metrics.confusion(p, t);
    }
    of.precision = metrics.precision(t);
    of.recall = metrics.recall(t);
    of.f1 = metrics.f1(t);
    if (of.pictures > 0) {
      const Ranking ranking = table.one_against_rest(t);
      tell_ranking(ranking, of);
      of.curve = curve_of(ranking, [](double log_probability) { return std::exp(log_probability); });
      f.macro_precision += of.precision;
      f.macro_recall += of.recall;
      f.macro_f1 += of.f1;
      ++occurring;
    }
    f.per_class.push_back(std::move(of));
  }
  if (metrics.classes() == 2 && occurring == 2) f.roc_auc = table.roc_auc();
  for (double* sum : {&f.macro_precision, &f.macro_recall, &f.macro_f1}) *sum /= std::max(occurring, 1.0);
  const size_t most = std::min<size_t>(10, static_cast<size_t>(metrics.classes()));
  for (size_t k = 1; k <= most; ++k)
    f.top.push_back(ratio(std::count_if(predictions.begin(), predictions.end(),
                                        [&](const Prediction& p) { return static_cast<size_t>(p.rank) < k; }),
                          static_cast<int64_t>(predictions.size())));
  tell_intervals(f, predictions);
  return f;
}

LabelFigures label_figures(const TargetMetrics& metrics, const std::vector<float>& thresholds) {
  LabelFigures f;
  f.mean_average_precision = metrics.mean_average_precision();
  f.mean_average_precision_interval = interval(metrics.mean_average_precision_interval());
  f.exact = metrics.exact_match(thresholds);
  double occurring = 0;
  for (size_t k = 0; k < metrics.outputs(); ++k) {
    const Ranking ranking = metrics.ranking(k);
    LabelFigures::OfLabel of;
    of.pictures = ranking.positives();
    tell_ranking(ranking, of);
    of.curve = curve_of(ranking, sigmoid);
    if (k < thresholds.size()) of.threshold = static_cast<double>(thresholds[k]);
    Ranking::Point reached{0, 0, 0};
    for (const Ranking::Point& p : ranking.points())
      if (thresholds.empty() ? p.threshold >= 0 : sigmoid(p.threshold) >= of.threshold) reached = p;
    const int64_t predicted = reached.true_positives + reached.false_positives;
    of.precision = ratio(reached.true_positives, predicted);
    of.recall = ratio(reached.true_positives, of.pictures);
    of.f1 = f1_of(reached.true_positives, predicted, of.pictures);
    if (of.pictures > 0) {
      const Ranking::BestThreshold best = ranking.best_threshold();
      of.best_threshold = sigmoid(best.threshold);
      of.f1_at_best = best.f1;
      f.macro_f1 += of.f1;
      ++occurring;
    }
    f.per_label.push_back(std::move(of));
  }
  f.macro_f1 /= std::max(occurring, 1.0);
  return f;
}

ValueFigures value_figures(const TargetMetrics& metrics) {
  ValueFigures f;
  f.r2 = metrics.r2();
  f.mean_absolute_error = metrics.mean_absolute_error();
  f.root_mean_squared_error = metrics.root_mean_squared_error();
  f.r2_interval = interval(metrics.r2_interval());
  f.mean_absolute_error_interval = interval(metrics.mean_absolute_error_interval());
  for (size_t k = 0; k < metrics.outputs(); ++k) {
    const TargetMetrics one = metrics.of_output(k);
    f.per_value.push_back({one.r2(), one.mean_absolute_error(), one.root_mean_squared_error()});
  }
  return f;
}

}  // namespace graft
