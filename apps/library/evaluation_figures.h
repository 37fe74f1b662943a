#pragma once

#include "finetune/metrics/metrics.h"
#include "finetune/metrics/score_table.h"
#include "finetune/metrics/target_metrics.h"
#include "graft/evaluate.h"

namespace graft {

// What a model is worth, of the scores that were counted. [graft/evaluate.h says what each figure is]

/// `predictions`: of the pictures in `table`, in its order.
ClassFigures class_figures(const Metrics& metrics, const ScoreTable& table, const std::vector<Prediction>& predictions);
LabelFigures label_figures(const TargetMetrics& metrics);
ValueFigures value_figures(const TargetMetrics& metrics);

}  // namespace graft
