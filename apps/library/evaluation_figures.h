#pragma once

#include "finetune/metrics/metrics.h"
#include "finetune/metrics/score_table.h"
#include "finetune/metrics/target_metrics.h"
#include "graft/evaluate.h"

namespace graft {

// What a model is worth, of the scores that were counted. [graft/evaluate.h says what each figure is]

/// `predictions`: of the pictures in `table`, in its order.
ClassFigures class_figures(const Metrics& metrics, const ScoreTable& table, const std::vector<Prediction>& predictions);
/// `thresholds`: probabilities that precision, recall, F1 and `exact` are at; empty: 0.5.
LabelFigures label_figures(const TargetMetrics& metrics, const std::vector<float>& thresholds);
ValueFigures value_figures(const TargetMetrics& metrics);

}  // namespace graft
